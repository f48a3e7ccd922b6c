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
constexpr int64_t kScaleBytes = 2 * kPanelRows;
constexpr int64_t kStoredBytes = 34;
constexpr int kZeroPoint = 128;
constexpr float kLargest = 127.0f;

void storeGroup(const PackPanel &panel, int64_t n, int64_t group,
                uint16_t scale, const uint8_t *offsetQuants) {
  store(blockAt(panel, 1, kScaleBytes, group) + 2 * n, scale);
  uint8_t *block = blockAt(panel, 0, kQuantBytes, group) + 4 * n;
  for (int64_t quad = 0; quad < kGroup / 4; ++quad)
    std::memcpy(block + 4 * kPanelRows * quad, offsetQuants + 4 * quad, 4);
}

int64_t packStored(const PackPanel &panel, int64_t n) {
  for (int64_t group = 0; group < panel.innerSize / kGroup; ++group) {
    const uint8_t *stored = panel.rows[n] + kStoredBytes * group;
    const uint16_t scale = load<uint16_t>(stored);
    if (!isFiniteF16(scale))
      return kGroup * group;
    uint8_t quants[kGroup];
    for (int64_t i = 0; i < kGroup; ++i)
      quants[i] = stored[2 + i] ^ uint8_t(kZeroPoint);
    storeGroup(panel, n, group, scale, quants);
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

int64_t packFloats(const PackPanel &panel, int64_t n, std::vector<float> &row) {
  loadFloats(panel.storedType, panel.rows[n], panel.innerSize, row.data());
  if (const int64_t k = firstNonFinite(row.data(), panel.innerSize); k >= 0)
    return k;
  for (int64_t group = 0; group < panel.innerSize / kGroup; ++group) {
    uint8_t quants[kGroup];
    const uint16_t scale = quantise(row.data() + kGroup * group, quants);
    if (!isFiniteF16(scale))
      return kGroup * group;
    storeGroup(panel, n, group, scale, quants);
  }
  return -1;
}

int64_t pack(const PackPanel &panel) {
  uint8_t zeros[kGroup];
  std::fill_n(zeros, kGroup, uint8_t(kZeroPoint));
  std::vector<float> row(size_t(panel.innerSize));
  for (int64_t n = 0; n < kPanelRows; ++n) {
    int64_t bad = -1;
    if (!panel.rows[n])
      for (int64_t group = 0; group < panel.innerSize / kGroup; ++group)
        storeGroup(panel, n, group, 0, zeros);
    else
      bad = panel.storedType == "q8_0" ? packStored(panel, n)
                                       : packFloats(panel, n, row);
    if (bad >= 0)
      return n * panel.innerSize + bad;
  }
  return -1;
}

float value(const uint8_t *const *planes, int64_t, int64_t n, int64_t k) {
  const int64_t group = k / kGroup, quad = k % kGroup / 4;
  const int q =
      planes[0][kQuantBytes * group + 4 * (kPanelRows * quad + n) + k % 4];
  return f16ToF32(load<uint16_t>(planes[1] + kScaleBytes * group + 2 * n)) *
         float(q - kZeroPoint);
}

Expr quant(const PlaneParams &planes, Expr n, Expr quad, Expr j, Expr block,
           Expr panel) {
  return planes[0](quad * int(4 * kPanelRows) + n * 4 + j, block, panel);
}

Expr scale(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return cast<float>(planes[1](n, group, panel));
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
          .planes = {{"q", kGroup, kQuantBytes, UInt(8)},
                     {"s", kGroup, kScaleBytes, Float(16)}},
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
