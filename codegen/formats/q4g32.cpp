// q4g32.cpp - 4-bit quants, one f16 scale for every 32 elements of a row.
//
// Shapes    plane q: nibbles of 32 k; plane s: f16 [16 n]
// Numerics  value = s * (q - 8), equal to the stored q4_0 to the bit; floats
// are
//           rounded under the scale with the least squared error (Quantise.h)
// Source    ggml block_q4_0: f16 d, u8 qs[16], element i in the low nibble of
// byte i, i + 16 in the high one
#include "codegen/formats/Blocks.h"
#include "codegen/formats/Quantise.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kGroup = 32;
constexpr int64_t kStoredBytes = 18;
constexpr int kZeroPoint = 8;

std::vector<Plane> planes() {
  return {{"q", kGroup, kNibbleBlock, Int(8)},
          {"s", kGroup, kRowOfF16, Float(16)}};
}

int64_t packStored(const PackPanel &panel, const uint8_t *row, int64_t n) {
  for (int64_t group = 0; group < panel.innerSize / kGroup; ++group) {
    const uint8_t *stored = row + kStoredBytes * group;
    if (!storeF16(panel, 1, n, group, load<uint16_t>(stored)))
      return kGroup * group;
    storeQuads(blockAt(panel, 0, kNibbleBlock, group), n, stored + 2, 4);
  }
  return -1;
}

int64_t packFloats(const PackPanel &panel, const uint8_t *row, int64_t n) {
  return packFloatGroups(
      panel, row, kGroup, [&](const float *values, int64_t group) {
        uint8_t quants[kGroup], nibbles[kGroup / 2];
        const uint16_t scale = quantiseGroup(values, kGroup, 4, quants);
        for (int64_t i = 0; i < kGroup / 2; ++i)
          nibbles[i] = uint8_t(quants[i] | quants[i + kGroup / 2] << 4);
        storeQuads(blockAt(panel, 0, kNibbleBlock, group), n, nibbles, 4);
        return storeF16(panel, 1, n, group, scale);
      });
}

int64_t pack(const PackPanel &panel) {
  const bool stored = panel.storedType == "q4_0";
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) {
    return stored ? packStored(panel, row, n) : packFloats(panel, row, n);
  });
}

float value(const uint8_t *const *planes, int64_t, int64_t n, int64_t k) {
  const int64_t group = k / kGroup;
  const int q = nibbleAt(planes[0] + kNibbleBlock * group, n, k % kGroup);
  return loadF16(planes[1] + kRowOfF16 * group, n) * float(q - kZeroPoint);
}

Expr quant(const PlaneParams &planes, Expr n, Expr quad, Expr j, Expr block,
           Expr panel) {
  return asQuant(nibble(planes[0], n, quad, j, block, panel));
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

Format q4g32() {
  return {.name = "q4g32",
          .planes = planes(),
          .scaleGroup = kGroup,
          .innerMultiple = kGroup,
          .storedTypes = {"q4_0", "f32", "f16", "bf16"},
          .activations = {"f32", "q8g32"},
          .lossOfLargest = quantisedLoss(4),
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
