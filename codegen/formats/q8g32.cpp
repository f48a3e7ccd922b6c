// q8g32.cpp - 8-bit quants, one f16 scale for every 32 elements of a row.
//
// Shapes    plane q: a block of 32 k, u8 [8 k/4][16 n][4 k%4]; plane s: f16 [16
// n] Numerics  value = s * (q - 128); q8_0 is kept to the bit, floats are
// rounded: |error| <= s/2 (1 + 2^-10) Source    ggml block_q8_0: f16 d, i8
// qs[32]
#include "codegen/formats/Blocks.h"

#include <algorithm>
#include <cmath>

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kGroup = 32;
constexpr int64_t kQuantBytes = kGroup * kPanelRows;
constexpr int64_t kStoredBytes = 34;
constexpr int kZeroPoint = 128;
constexpr float kLargest = 127.0f;

std::vector<Plane> planes() {
  return {{"q", kGroup, kQuantBytes, UInt(8)},
          {"s", kGroup, kRowOfF16, Float(16)}};
}

int64_t packStored(const PackPanel &panel, const uint8_t *row, int64_t n) {
  for (int64_t group = 0; group < panel.innerSize / kGroup; ++group) {
    const uint8_t *stored = row + kStoredBytes * group;
    if (!storeF16(panel, 1, n, group, load<uint16_t>(stored)))
      return kGroup * group;
    uint8_t quants[kGroup];
    for (int64_t i = 0; i < kGroup; ++i)
      quants[i] = stored[2 + i] ^ uint8_t(kZeroPoint);
    storeQuads(blockAt(panel, 0, kQuantBytes, group), n, quants, kGroup / 4);
  }
  return -1;
}

/// Quantises one group of 32: scale f16(absmax / 127), quants round-half-even(x
/// / scale).
uint16_t quantise(const float *values, uint8_t *quants) {
  float largest = 0.0f;
  for (int64_t i = 0; i < kGroup; ++i)
    largest = std::max(largest, std::fabs(values[i]));
  const uint16_t half = f32ToF16(largest / kLargest);
  const float scale = f16ToF32(half);
  if (scale == 0.0f) {
    std::fill_n(quants, kGroup, uint8_t(kZeroPoint));
    return half;
  }
  // Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves it in the
  // low bits of the float.
  constexpr float kRound = 0x1.8p23f;
  for (int64_t i = 0; i < kGroup; ++i) {
    const float ratio =
        std::min(std::max(values[i] / scale, -kLargest), kLargest);
    quants[i] = uint8_t(std::bit_cast<uint32_t>(ratio + kRound) + kZeroPoint);
  }
  return half;
}

int64_t packFloats(const PackPanel &panel, const uint8_t *row, int64_t n) {
  float values[kGroup];
  const int64_t storedBytes =
      findStoredType(panel.storedType)->blockBytes * kGroup;
  for (int64_t group = 0; group < panel.innerSize / kGroup; ++group) {
    loadFloats(panel.storedType, row + storedBytes * group, kGroup, values);
    if (const int64_t i = firstNonFinite(values, kGroup); i >= 0)
      return kGroup * group + i;
    uint8_t quants[kGroup];
    if (!storeF16(panel, 1, n, group, quantise(values, quants)))
      return kGroup * group;
    storeQuads(blockAt(panel, 0, kQuantBytes, group), n, quants, kGroup / 4);
  }
  return -1;
}

int64_t pack(const PackPanel &panel) {
  const bool stored = panel.storedType == "q8_0";
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) {
    return stored ? packStored(panel, row, n) : packFloats(panel, row, n);
  });
}

float value(const uint8_t *const *planes, int64_t, int64_t n, int64_t k) {
  const int64_t group = k / kGroup, quad = k % kGroup / 4;
  const int q =
      planes[0][kQuantBytes * group + 4 * (kPanelRows * quad + n) + k % 4];
  return loadF16(planes[1] + kRowOfF16 * group, n) * float(q - kZeroPoint);
}

Expr quant(const PlaneParams &planes, Expr n, Expr quad, Expr j, Expr block,
           Expr panel) {
  return planes[0](quad * int(4 * kPanelRows) + n * 4 + j, block, panel);
}

Expr scale(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return rowScale(planes[1], n, group, panel);
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  Expr block = k / int(kGroup);
  Expr q = quant(planes, n, k % int(kGroup) / 4, k % 4, block, panel);
  return scale(planes, n, block, panel) *
         cast<float>(cast<int32_t>(q) - kZeroPoint);
}

} // namespace

namespace format {

Format q8g32() {
  return {.name = "q8g32",
          .planes = planes(),
          .scaleGroup = kGroup,
          .innerMultiple = kGroup,
          .storedTypes = {"q8_0", "f32", "f16", "bf16"},
          .activations = {"f32", "q8g32"},
          .zeroPoint = kZeroPoint,
          .pack = pack,
          .value = value,
          .decode = decode,
          .quant = quant,
          .scale = scale,
          .minimum = nullptr};
}

} // namespace format
} // namespace qwen::codegen
