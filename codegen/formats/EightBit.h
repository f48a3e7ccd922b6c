// EightBit.h - groups of 32 elements as u8 quants around 128 and an f16 scale:
// what the 8-bit formats share.
//
// Numerics  value = scale * (quant - 128); q8_0 is kept to the bit, floats are
// rounded: |error| <= scale/2 (1 + 2^-10)
// Source    ggml block_q8_0: f16 d, i8 qs[32]
#pragma once

#include "codegen/formats/Blocks.h"

namespace qwen::codegen {

inline constexpr int64_t kEightBitGroup = 32;
inline constexpr int kEightBitZero = 128;
/// Format::lossOfLargest: half a step, and the rounding of the step to f16 over
/// up to 127 steps.
inline constexpr double kEightBitLoss = (0.5 + 127 * 0x1p-11) / 127;

/// Reads group `group` of a stored row ("q8_0", "f32", "f16", "bf16"). Returns
/// -1, or the first element of the row that the group cannot hold.
int64_t eightBitGroup(std::string_view storedType, const uint8_t *row,
                      int64_t group, uint16_t &scale,
                      uint8_t (&quants)[kEightBitGroup]);

} // namespace qwen::codegen
