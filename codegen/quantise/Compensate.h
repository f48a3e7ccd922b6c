// Compensate.h - rounds a weight so that what its linear gives changes least,
// not what it holds.
//
// Shapes   W [N, K]; blocks [N, K/32] of ggml's q4_0 or q5_0
// Source   GPTQ (arXiv:2210.17323) in the form of LDLQ (QuIP, arXiv:2307.13304,
//          section 3.1): column k is rounded after the errors of those before
//          it are added, times U
#pragma once

#include "codegen/quantise/Hessian.h"

#include <cstdint>

namespace qwen::quantise {

inline constexpr int64_t kGroup = 32; // elements under one scale

/// ggml's blocks of 4 and 5 bits.
enum class BlockType { Q4_0, Q5_0 };

/// Bytes of one block.
int64_t blockBytes(BlockType type);

/// Writes the blocks of `rows` rows of finite floats [rows, K], K a multiple of
/// 32, and returns the sum over rows of e H eᵀ for their errors e. The scale of
/// a group is the one of some around its largest value with the least such sum
/// for the group. On one thread.
double compensate(const float *weights, int64_t rows, const Factors &factors,
                  BlockType type, uint8_t *blocks);

/// The same sum where `rounded` [rows, K] stands for the weights.
double lossOf(const float *weights, const float *rounded, int64_t rows,
              const Factors &factors);

} // namespace qwen::quantise
