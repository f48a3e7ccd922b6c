// Quantise.h - from floats to the quants of one group under one scale.
//
// Source  ggml-quants.c make_qx_quants: scales around the one that the largest
//         value asks for, each with the least-squares scale of its quants
#pragma once

#include <cstdint>

namespace qwen::codegen {

/// What `quantiseGroup` may lose of a value, as a part of the largest: the
/// range may end two quants before it, and f16 rounds the scale.
constexpr double quantisedLoss(int bits) {
  const double zeroPoint = double(int64_t{1} << (bits - 1));
  return 2 / (zeroPoint + 1) + 0x1p-11;
}

/// Quants q of `count` finite values, a multiple of 8, 0 <= q < 2^bits, and
/// the f16 scale s for which the sum of (value - s * (q - 2^(bits-1)))^2 is the
/// least of the scales tried. Every quant is the nearest to its value under
/// that scale. An infinite scale is one that f16 cannot hold.
/// Baseline arithmetic in one order: the same on every CPU.
uint16_t quantiseGroup(const float *values, int64_t count, int bits,
                       uint8_t *quants);

} // namespace qwen::codegen
