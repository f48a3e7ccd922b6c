// ReadSpeed.cpp - a streaming read with the widest registers of the CPU.
#include "runtime/cli/ReadSpeed.h"
#include "runtime/core/CpuFeatures.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <unistd.h>

namespace qwen {
namespace {

// Threads claim blocks, as they claim the chunks of a kernel, so that a thread
// that the system takes away for a while does not make the others wait.
constexpr int64_t kBlockBytes = int64_t{1} << 20;
constexpr int64_t kMinBytes = int64_t{256} << 20, kMaxBytes = int64_t{4} << 30;

using Sum = uint64_t (*)(const uint8_t *block);

// Eight independent sums hide the latency of the additions.
__attribute__((always_inline)) inline uint64_t sumBlock(const uint8_t *block) {
  using Vector = uint64_t __attribute__((vector_size(64)));
  constexpr int64_t kSums = 8, kStep = kSums * int64_t{sizeof(Vector)};
  // A core by itself keeps too few lines under way; kernels ask ahead as well.
  constexpr int64_t kAhead = 4096;
  Vector sums[kSums] = {};
  for (int64_t at = 0; at < kBlockBytes; at += kStep)
    for (int64_t i = 0; i < kSums; ++i) {
      const uint8_t *line = block + at + i * int64_t{sizeof(Vector)};
      __builtin_prefetch(line + kAhead);
      sums[i] += *reinterpret_cast<const Vector *>(line);
    }
  for (int64_t i = 1; i < kSums; ++i)
    sums[0] += sums[i];
  uint64_t sum = 0;
  for (int lane = 0; lane < 8; ++lane)
    sum += sums[0][lane];
  return sum;
}

uint64_t sumBaseline(const uint8_t *block) { return sumBlock(block); }

#if defined(__x86_64__)
__attribute__((target("avx2"))) uint64_t sumAvx2(const uint8_t *block) {
  return sumBlock(block);
}
__attribute__((target("avx512f"))) uint64_t sumAvx512(const uint8_t *block) {
  return sumBlock(block);
}

Sum widestSum() {
  return cpuHas("avx512f") ? sumAvx512 : cpuHas("avx2") ? sumAvx2 : sumBaseline;
}
#else
Sum widestSum() { return sumBaseline; }
#endif

struct Pass {
  uint8_t *data;
  int64_t blocks;
  Sum sum;
  std::atomic<int64_t> next{0};
  std::atomic<uint64_t> total{0}; // keeps the sums from being dropped
};

int64_t bufferBytes() {
  int64_t cache = std::max<int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
  int64_t memory = int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  int64_t wanted = std::clamp(4 * cache, kMinBytes, kMaxBytes);
  return std::max(kBlockBytes,
                  std::min(wanted, memory / 4) / kBlockBytes * kBlockBytes);
}

} // namespace

double nowSeconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

Result<ReadSpeed> ReadSpeed::create(Team &team) {
  int64_t bytes = bufferBytes();
  Result<Pages> pages = Pages::allocate(bytes, "the read benchmark");
  if (!pages.ok())
    return pages.status();
  ReadSpeed speed;
  speed.buffer_ = std::move(*pages);
  // Large pages spare the address translation, which is no part of the memory's
  // speed.
  speed.buffer_.preferHuge();
  Pass fill{speed.buffer_.data(), bytes / kBlockBytes, nullptr};
  // Written, since pages that were never written are all one page of zeros.
  team.run(
      [](void *context, int64_t) {
        auto &pass = *static_cast<Pass *>(context);
        for (int64_t block; (block = pass.next++) < pass.blocks;)
          memset(pass.data + block * kBlockBytes, 1, kBlockBytes);
      },
      &fill);
  return speed;
}

double ReadSpeed::measure(Team &team, double seconds) const {
  int64_t blocks = buffer_.bytes() / kBlockBytes, passes = 0;
  double start = nowSeconds(), elapsed;
  do {
    Pass pass{buffer_.data(), blocks, widestSum()};
    team.run(
        [](void *context, int64_t) {
          auto &pass = *static_cast<Pass *>(context);
          uint64_t sum = 0;
          for (int64_t block;
               (block = pass.next.fetch_add(1, std::memory_order_relaxed)) <
               pass.blocks;)
            sum += pass.sum(pass.data + block * kBlockBytes);
          pass.total += sum;
        },
        &pass);
    ++passes;
    elapsed = nowSeconds() - start;
  } while (elapsed < seconds);
  return static_cast<double>(passes * blocks * kBlockBytes) / elapsed * 1e-9;
}

} // namespace qwen
