// Quantise.cpp - the nearest quants, and the search for the scale with the
// least squared error.
#include "codegen/formats/Quantise.h"
#include "codegen/formats/Half.h"

#include <algorithm>
#include <cmath>

namespace qwen::codegen {
namespace {

constexpr int64_t kBlock = 32;
// Adding 1.5 * 2^23 rounds to an integer, ties to even.
constexpr float kRound = 0x1.8p23f;
constexpr int64_t kLanes = 8; // of the sums, in one order on every CPU
constexpr int kTries = 9;     // to each side of the scale of the largest value
constexpr float kTryStep = 0.1f; // in quants of the largest value

struct Range {
  float lowest, highest;
  float nearest(float ratio) const {
    return std::min(std::max(ratio, lowest), highest) + kRound - kRound;
  }
};

/// Quants from 0 to 2 zeroPoint - 1, and the scale.
uint16_t searchedScale(const float *values, float zeroPoint, uint8_t *quants) {
  const Range range{-zeroPoint, zeroPoint - 1};
  float largest = 0;
  for (int64_t i = 0; i < kBlock; ++i)
    if (std::fabs(values[i]) > std::fabs(largest))
      largest = values[i];
  std::fill_n(quants, kBlock, uint8_t(zeroPoint));
  if (f32ToF16(std::fabs(largest) / zeroPoint) == 0)
    return 0;
  // The largest value takes the end of the range that reaches further, unless
  // another scale makes the others fit better.
  float scale = largest / -zeroPoint, best = 0;
  for (int i = -kTries; i <= kTries; ++i) {
    const float inverse = -(zeroPoint + kTryStep * float(i)) / largest;
    float products[kLanes] = {}, squares[kLanes] = {};
    for (int64_t k = 0; k < kBlock; k += kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const float quant = range.nearest(values[k + lane] * inverse);
        products[lane] += values[k + lane] * quant;
        squares[lane] += quant * quant;
      }
    float product = 0, square = 0;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      product += products[lane];
      square += squares[lane];
    }
    // The error that the least-squares scale product / square leaves is the sum
    // of squares minus this.
    const float gain = product * product / square, fit = product / square;
    const float reach = std::fabs(largest / fit); // in quants
    if (square > 0 && gain > best && reach >= zeroPoint - 1 &&
        reach <= zeroPoint + 1) {
      best = gain;
      scale = fit;
    }
  }
  const uint16_t half = f32ToF16(scale);
  const float stored = f16ToF32(half);
  if (stored == 0 || !isFiniteF16(half))
    return half;
  for (int64_t i = 0; i < kBlock; ++i)
    quants[i] = uint8_t(range.nearest(values[i] / stored) + zeroPoint);
  return half;
}

/// Element i in the low nibble of byte i, i + 16 in the high one.
void storeNibbles(const uint8_t *quants, uint8_t *bytes) {
  for (int64_t i = 0; i < kBlock / 2; ++i)
    bytes[i] = uint8_t((quants[i] & 15) | quants[i + kBlock / 2] << 4);
}

} // namespace

void encodeQ8_0(const float *values, uint8_t *block) {
  constexpr Range kRange{-127, 127};
  float largest = 0;
  for (int64_t i = 0; i < kBlock; ++i)
    largest = std::max(largest, std::fabs(values[i]));
  const uint16_t half = f32ToF16(largest / kRange.highest);
  const float scale = f16ToF32(half);
  store(block, half);
  for (int64_t i = 0; i < kBlock; ++i)
    block[2 + i] =
        scale == 0 ? 0 : uint8_t(int8_t(kRange.nearest(values[i] / scale)));
}

void encodeQ5_0(const float *values, uint8_t *block) {
  uint8_t quants[kBlock];
  store(block, searchedScale(values, 16, quants));
  uint32_t fifths = 0;
  for (int64_t i = 0; i < kBlock; ++i)
    fifths |= uint32_t(quants[i] >> 4) << i;
  store(block + 2, fifths);
  storeNibbles(quants, block + 6);
}

void encodeQ4_0(const float *values, uint8_t *block) {
  uint8_t quants[kBlock];
  store(block, searchedScale(values, 8, quants));
  storeNibbles(quants, block + 2);
}

} // namespace qwen::codegen
