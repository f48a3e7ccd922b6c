// Timing.cpp - what all measurements of kernels share.
#include "tools/qwenc-kernel/Timing.h"

#include <algorithm>
#include <cstring>
#include <ctime>

#include <sys/mman.h>

namespace qwen {

double seconds(bool own) {
  timespec now;
  clock_gettime(own ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

uint64_t readAll(const uint8_t *bytes, int64_t size) {
  using Words = uint64_t __attribute__((vector_size(64)));
  const Words *words = reinterpret_cast<const Words *>(bytes);
  // A core by itself keeps too few lines under way; kernels ask ahead as well.
  constexpr int64_t kAhead = 64; // words
  Words sums[4] = {};
  for (int64_t i = 0; i + 4 <= size / 64; i += 4)
    for (int64_t j = 0; j < 4; ++j) {
      __builtin_prefetch(words + i + j + kAhead);
      sums[j] += words[i + j];
    }
  const Words total = sums[0] + sums[1] + sums[2] + sums[3];
  return total[0] ^ total[1] ^ total[2] ^ total[3] ^ total[4] ^ total[5] ^
         total[6] ^ total[7];
}

InputCopies::InputCopies(const codegen::Trial &trial, int64_t wantedBytes)
    : inputs(trial.streamed()) {
  const std::vector<uint8_t *> hosts = trial.hosts();
  for (const codegen::Trial::Streamed &input : inputs)
    chunkBytes += input.bytes;
  if (chunkBytes == 0)
    return;
  count = std::max<int64_t>(1, wantedBytes / chunkBytes);
  void *mapped = mmap(nullptr, size_t(size()), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    throw codegen::KernelError{"no memory for " + std::to_string(size()) +
                               " bytes of inputs"};
  bytes = static_cast<uint8_t *>(mapped);
  madvise(bytes, size_t(size()), MADV_HUGEPAGE);
  uint8_t *at = bytes;
  for (const codegen::Trial::Streamed &input : inputs)
    for (int64_t chunk = 0; chunk < count; ++chunk, at += input.bytes)
      std::memcpy(at, hosts[input.first], size_t(input.bytes));
}

InputCopies::~InputCopies() {
  if (bytes)
    munmap(bytes, size_t(size()));
}

void InputCopies::place(int64_t chunk, std::vector<uint8_t *> &list) const {
  uint8_t *start = bytes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto &[size, first, behind] = inputs[i];
    if (size > 0) {
      list[i] = start + chunk * size;
      start += count * size;
    } else if (first != i) {
      list[i] = list[first] + behind;
    }
  }
}

} // namespace qwen
