// q8g32.cpp - 8-bit quants, one f16 scale for every 32 elements of a row.
//
// Shapes    plane q: a block of 32 k, u8 [8 k/4][16 n][4 k%4]; plane s: f16 [16
// n]
// Numerics  value = s * (q - 128), as EightBit.h says
#include "codegen/formats/EightBit.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kGroup = kEightBitGroup;
constexpr int64_t kQuantBytes = kGroup * kPanelRows;
constexpr int kZeroPoint = kEightBitZero;

std::vector<Plane> planes() {
  return {{"q", kGroup, kQuantBytes, UInt(8)},
          {"s", kGroup, kRowOfF16, Float(16)}};
}

int64_t pack(const PackPanel &panel) {
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) -> int64_t {
    for (int64_t group = 0; group < panel.innerSize / kGroup; ++group) {
      uint16_t scale = 0;
      uint8_t quants[kGroup];
      if (const int64_t bad =
              eightBitGroup(panel.storedType, row, group, scale, quants);
          bad >= 0)
        return bad;
      storeF16(panel, 1, n, group, scale);
      storeQuads(blockAt(panel, 0, kQuantBytes, group), n, quants, kGroup / 4);
    }
    return -1;
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
          .lossOfLargest = kEightBitLoss,
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
