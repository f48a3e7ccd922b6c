// Roof.cpp - read rate and multiply rates of one core.
//
// Source  Williams, Waterman and Patterson, Roofline, CACM 52 (2009)
#include "tools/qwenc-kernel/tune/Roof.h"
#include "tools/qwenc-kernel/Timing.h"

#include <algorithm>
#include <cstring>

#include <immintrin.h>
#include <sys/mman.h>

namespace qwen {
namespace {

constexpr int64_t kRounds = 20000; // under a scheduler's time slice
// Ten would hide a latency of five cycles, two a cycle, if each went to the
// port that waits; Golden Cove has four fifths of its rate then, all of it from
// 16 on.
constexpr int64_t kWideSums = 20, kNarrowSums = 14; // of 32 and of 16 registers
volatile int kept;

/// Whatever is there is needed now, and unknown from here on: a loop is neither
/// moved past the clock nor computed by the compiler.
template <typename Sums> void need(Sums &sums) {
  asm volatile("" : : "r"(&sums) : "memory");
}

__attribute__((target("avx512f"))) double wideFloat() {
  __m512 sums[kWideSums];
  for (auto &sum : sums)
    sum = _mm512_set1_ps(1);
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  need(sums);
  const double start = seconds(true);
  for (int64_t i = 0; i < kRounds; ++i)
#pragma unroll
    for (auto &sum : sums)
      sum = _mm512_fmadd_ps(sum, a, b);
  need(sums);
  const double taken = seconds(true) - start;
  return double(kRounds * kWideSums * 16) / taken;
}

__attribute__((target("avx2,fma"))) double narrowFloat() {
  __m256 sums[kNarrowSums];
  for (auto &sum : sums)
    sum = _mm256_set1_ps(1);
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  need(sums);
  const double start = seconds(true);
  for (int64_t i = 0; i < kRounds; ++i)
#pragma unroll
    for (auto &sum : sums)
      sum = _mm256_fmadd_ps(sum, a, b);
  need(sums);
  const double taken = seconds(true) - start;
  return double(kRounds * kNarrowSums * 8) / taken;
}

__attribute__((target("avx512f,avx512vnni"))) double wideInteger() {
  __m512i sums[kWideSums];
  for (auto &sum : sums)
    sum = _mm512_setzero_si512();
  // Opaque, or the loop is a multiplication.
  volatile int one = 0x01010101;
  const __m512i a = _mm512_set1_epi32(one);
  const double start = seconds(true);
  for (int64_t i = 0; i < kRounds; ++i)
#pragma unroll
    for (auto &sum : sums)
      sum = _mm512_dpbusd_epi32(sum, a, a);
  need(sums);
  const double taken = seconds(true) - start;
  return double(kRounds * kWideSums * 64) / taken;
}

__attribute__((target("avx2,avxvnni"))) double narrowDots() {
  __m256i sums[kNarrowSums];
  for (auto &sum : sums)
    sum = _mm256_setzero_si256();
  volatile int one = 0x01010101;
  const __m256i a = _mm256_set1_epi32(one);
  const double start = seconds(true);
  for (int64_t i = 0; i < kRounds; ++i)
#pragma unroll
    for (auto &sum : sums)
      sum = _mm256_dpbusd_avx_epi32(sum, a, a);
  need(sums);
  const double taken = seconds(true) - start;
  return double(kRounds * kNarrowSums * 32) / taken;
}

/// One vpmaddubsw and one vpaddw for 32 products.
__attribute__((target("avx2"))) double narrowInteger() {
  __m256i sums[kNarrowSums];
  for (auto &sum : sums)
    sum = _mm256_setzero_si256();
  __m256i a = _mm256_set1_epi8(1);
  const double start = seconds(true);
  for (int64_t i = 0; i < kRounds; ++i)
#pragma unroll
    for (auto &sum : sums) {
      asm volatile("" : "+x"(a)); // each product is one of its own
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(a, a));
    }
  need(sums);
  const double taken = seconds(true) - start;
  return double(kRounds * kNarrowSums * 32) / taken;
}

double readRate() {
  constexpr int64_t kBytes = 128 << 20, kPart = 4 << 20;
  void *mapped = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return 0;
  madvise(mapped, kBytes, MADV_HUGEPAGE);
  std::memset(mapped, 1, kBytes);
  double best = 0;
  const auto *bytes = static_cast<const uint8_t *>(mapped);
  for (int64_t at = 0; at < 2 * kBytes; at += kPart) {
    const double start = seconds(true);
    kept = int(readAll(bytes + at % kBytes, kPart));
    best = std::max(best, double(kPart) / (seconds(true) - start));
  }
  munmap(mapped, kBytes);
  return best;
}

/// The best of a few: what disturbs only makes it slower.
double best(double (*measure)()) {
  double most = 0;
  for (int64_t repeat = 0; repeat < 50; ++repeat)
    most = std::max(most, measure());
  return most;
}

} // namespace

double Roof::microseconds(int64_t bytes, int64_t products,
                          bool integers) const {
  const double rate = integers ? integerProducts : floatProducts;
  return 1e6 * std::max(bytesPerSecond > 0 ? double(bytes) / bytesPerSecond : 0,
                        rate > 0 ? double(products) / rate : 0);
}

Roof measureRoof(const CatalogTarget &target) {
  __builtin_cpu_init();
  Roof roof;
  roof.bytesPerSecond = readRate();
  if (target.lanes >= 16 && __builtin_cpu_supports("avx512f"))
    roof.floatProducts = best(wideFloat);
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    roof.floatProducts = best(narrowFloat);
  if (target.quadDots && target.lanes >= 16 &&
      __builtin_cpu_supports("avx512vnni"))
    roof.integerProducts = best(wideInteger);
  else if (target.quadDots && __builtin_cpu_supports("avxvnni"))
    roof.integerProducts = best(narrowDots);
  else if (__builtin_cpu_supports("avx2"))
    roof.integerProducts = best(narrowInteger);
  return roof;
}

} // namespace qwen
