// Pages.cpp - anonymous mappings.
#include "runtime/core/Pages.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace qwen {

Pages::Pages(Pages &&other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Pages &Pages::operator=(Pages &&other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Pages::~Pages() {
  if (data_)
    munmap(data_, static_cast<size_t>(bytes_));
}

Result<Pages> Pages::allocate(int64_t bytes, const char *what) {
  if (bytes < 0)
    return Status::internal("%s of %lld bytes", what,
                            static_cast<long long>(bytes));
  Pages pages;
  // One page more than asked, so that nothing is a mapping of length 0.
  int64_t rounded = roundUp(bytes + 1, kPageBytes);
  void *data =
      mmap(nullptr, static_cast<size_t>(rounded), PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    return Status::system(errno, "no memory for %s of %lld bytes", what,
                          static_cast<long long>(bytes));
  pages.data_ = static_cast<uint8_t *>(data);
  pages.bytes_ = rounded;
  return pages;
}

void Pages::poison() { memset(data_, 0xff, static_cast<size_t>(bytes_)); }

} // namespace qwen
