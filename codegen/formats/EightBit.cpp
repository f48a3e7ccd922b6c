// EightBit.cpp - stored blocks as they are, floats quantised.
#include "codegen/formats/EightBit.h"

#include <algorithm>
#include <cmath>

namespace qwen::codegen {
namespace {

constexpr int64_t kGroup = kEightBitGroup;
constexpr int64_t kStoredBytes = 34;
constexpr float kLargest = 127.0f;

/// Quantises one group of 32: scale f16(absmax / 127), quants round-half-even(x
/// / scale).
uint16_t quantise(const float *values, uint8_t *quants) {
  float largest = 0.0f;
  for (int64_t i = 0; i < kGroup; ++i)
    largest = std::max(largest, std::fabs(values[i]));
  const uint16_t half = f32ToF16(largest / kLargest);
  const float scale = f16ToF32(half);
  if (scale == 0.0f) {
    std::fill_n(quants, kGroup, uint8_t(kEightBitZero));
    return half;
  }
  // Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves it in the
  // low bits of the float.
  constexpr float kRound = 0x1.8p23f;
  for (int64_t i = 0; i < kGroup; ++i) {
    const float ratio =
        std::min(std::max(values[i] / scale, -kLargest), kLargest);
    quants[i] = uint8_t(std::bit_cast<uint32_t>(ratio + kRound) +
                        uint32_t(kEightBitZero));
  }
  return half;
}

} // namespace

int64_t eightBitGroup(std::string_view storedType, const uint8_t *row,
                      int64_t group, uint16_t &scale,
                      uint8_t (&quants)[kEightBitGroup]) {
  if (storedType == "q8_0") {
    const uint8_t *stored = row + kStoredBytes * group;
    scale = load<uint16_t>(stored);
    for (int64_t i = 0; i < kGroup; ++i)
      quants[i] = stored[2 + i] ^ uint8_t(kEightBitZero);
  } else {
    float values[kGroup];
    const int64_t storedBytes = findStoredType(storedType)->blockBytes * kGroup;
    loadFloats(storedType, row + storedBytes * group, kGroup, values);
    if (const int64_t i = firstNonFinite(values, kGroup); i >= 0)
      return kGroup * group + i;
    scale = quantise(values, quants);
  }
  return isFiniteF16(scale) ? -1 : kGroup * group;
}

} // namespace qwen::codegen
