// Quantise.h - from floats to ggml's blocks of 32 elements under one f16 scale.
//
// Source  ggml block_q8_0, block_q5_0, block_q4_0. Baseline arithmetic in one
//         order: the same blocks on every CPU.
#pragma once

#include <cstdint>

namespace qwen::codegen {

/// Each takes 32 finite floats. A scale that f16 cannot hold is an infinity.

/// scale f16(absmax / 127), quants round-half-even(value / scale).
void encodeQ8_0(const float *values, uint8_t *block);

/// Of 19 scales around the one that the largest value asks for, each with the
/// least-squares scale of its quants, the one with the least squared error;
/// every quant is the nearest to its value under that scale.
/// Source: ggml-quants.c make_qx_quants.
void encodeQ5_0(const float *values, uint8_t *block);
void encodeQ4_0(const float *values, uint8_t *block);

// Format::lossOfLargest. Half a step, and the rounding of the step to f16 over
// up to 127 steps:
inline constexpr double kLossOfQ8_0 = (0.5 + 127 * 0x1p-11) / 127;
// The range may end two quants before the largest value, and f16 rounds:
inline constexpr double kLossOfQ5_0 = 2.0 / 17 + 0x1p-11;
inline constexpr double kLossOfQ4_0 = 2.0 / 9 + 0x1p-11;

} // namespace qwen::codegen
