// SuperBlocks.h - what q4k and q5k share: groups of 32 with 6-bit scales and
// minima under two f16 for 256 elements.
//
// Shapes  planes of 16 rows: c, m: u8 [16 n] for 32 k; d, e: f16 [16 n] for 256
// k Source  ggml block_q4_K, block_q5_K: f16 d, f16 dmin, u8 scales[12], quants
#pragma once

#include "codegen/formats/Blocks.h"

namespace qwen::codegen {

inline constexpr int64_t kSuperGroup = 256;
inline constexpr int64_t kGroup = 32;
inline constexpr int64_t kRowOfBytes = kPanelRows;

/// The planes c, m, d, e in this order, to append to the planes of the quants.
std::vector<Plane> superPlanes(std::vector<Plane> quantPlanes);

/// Stores scales and minima of the 256 elements that start with `stored` (d);
/// planes start at `first`. False when a scale is a NaN or an infinity.
bool storeSuperScales(const PackPanel &panel, size_t first, int64_t n,
                      int64_t superBlock, const uint8_t *stored);

/// The nibbles of group `group` (0..7) of the 128 stored bytes `qs` in the
/// order of a nibble block's row.
void regroupNibbles(const uint8_t *qs, int64_t group, uint8_t *bytes);

/// d·c · q - e·m in f32, each product rounded once.
float superValue(const PackedPanel &planes, size_t first, int64_t n, int64_t k,
                 int q);

Halide::Expr superScale(const PlaneParams &planes, size_t first, Halide::Expr n,
                        Halide::Expr group, Halide::Expr panel);
Halide::Expr superMinimum(const PlaneParams &planes, size_t first,
                          Halide::Expr n, Halide::Expr group,
                          Halide::Expr panel);

} // namespace qwen::codegen
