// Pages.cpp - anonymous mappings.
#include "runtime/core/Pages.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace qwen {

Pages::Pages(Pages &&other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Pages &Pages::operator=(Pages &&other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Pages::~Pages() {
  if (mapping_)
    munmap(mapping_, static_cast<size_t>(data_ + bytes_ -
                                         static_cast<uint8_t *>(mapping_)));
}

Result<Pages> Pages::allocate(int64_t bytes, const char *what) {
  if (bytes < 0)
    return Status::internal("%s of %lld bytes", what,
                            static_cast<long long>(bytes));
  Pages pages;
  // One page more than asked, so that nothing is a mapping of length 0.
  int64_t rounded = roundUp(bytes + 1, kPageBytes);
  int64_t slack = rounded < kHugePageBytes ? 0 : kHugePageBytes - kPageBytes;
  void *mapping = mmap(nullptr, static_cast<size_t>(rounded + slack),
                       PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return Status::system(errno, "no memory for %s of %lld bytes", what,
                          static_cast<long long>(bytes));
  pages.mapping_ = mapping;
  auto address = reinterpret_cast<intptr_t>(mapping);
  pages.data_ = static_cast<uint8_t *>(mapping) +
                (slack ? roundUp(address, kHugePageBytes) - address : 0);
  pages.bytes_ = rounded;
  return pages;
}

void Pages::preferHuge() {
  madvise(data_, static_cast<size_t>(bytes_), MADV_HUGEPAGE);
}

void Pages::moveToHuge(int64_t offset) {
  // Of Linux 6.1; what was compiled with older headers asks all the same.
  constexpr int kCollapse = 25;
  if (offset + kHugePageBytes <= bytes_)
    madvise(data_ + offset, kHugePageBytes, kCollapse);
}

void Pages::poison() { memset(data_, 0xff, static_cast<size_t>(bytes_)); }

} // namespace qwen
