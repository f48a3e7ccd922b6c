// Quantise.cpp - the search for the scale with the least squared error.
#include "codegen/formats/Quantise.h"
#include "codegen/formats/Blocks.h"

#include <algorithm>
#include <cmath>

namespace qwen::codegen {
namespace {

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

} // namespace

uint16_t quantiseGroup(const float *values, int64_t count, int bits,
                       uint8_t *quants) {
  const auto zeroPoint = float(int64_t{1} << (bits - 1));
  const Range range{-zeroPoint, zeroPoint - 1};
  float largest = 0;
  for (int64_t i = 0; i < count; ++i)
    if (std::fabs(values[i]) > std::fabs(largest))
      largest = values[i];
  std::fill_n(quants, count, uint8_t(zeroPoint));
  if (f32ToF16(std::fabs(largest) / zeroPoint) == 0)
    return 0;
  // The largest value takes the end of the range that reaches further, unless
  // another scale makes the others fit better.
  float scale = largest / -zeroPoint, best = 0;
  for (int i = -kTries; i <= kTries; ++i) {
    const float inverse = -(zeroPoint + kTryStep * float(i)) / largest;
    float products[kLanes] = {}, squares[kLanes] = {};
    for (int64_t k = 0; k < count; k += kLanes)
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
  for (int64_t i = 0; i < count; ++i)
    quants[i] = uint8_t(range.nearest(values[i] / stored) + zeroPoint);
  return half;
}

} // namespace qwen::codegen
