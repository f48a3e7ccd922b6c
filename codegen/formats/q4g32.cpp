// q4g32.cpp - 4-bit quants, one f16 scale for every 32 elements of a row.
//
// Shapes    plane q: nibbles of 32 k; plane s: f16 [16 n]
// Numerics  value = s * (q - 8), equal to the stored q4_0 to the bit; floats
//           become q4_0 first (Quantise.h)
// Source    ggml block_q4_0: f16 d, u8 qs[16], element i in the low nibble of
//           byte i, i + 16 in the high one
#include "codegen/formats/Blocks.h"
#include "codegen/formats/Quantise.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kGroup = 32;
constexpr int kZeroPoint = 8;

std::vector<Plane> planes() {
  return {{"q", kGroup, kNibbleBlock, Int(8)},
          {"s", kGroup, kRowOfF16, Float(16), true}};
}

int64_t pack(const PackPanel &panel) {
  return packBlocks(panel, planes, "q4_0", encodeQ4_0,
                    [&](const uint8_t *block, int64_t n, int64_t index) {
                      storeQuads(panel.planes[0].at(index), n, block + 2, 4);
                      storeF16(panel, 1, n, index, load<uint16_t>(block));
                    });
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  const int64_t group = k / kGroup;
  const int q = nibbleAt(planes[0].at(group), n, k % kGroup);
  return loadF16(planes[1].at(group), n) * float(q - kZeroPoint);
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
          .lossOfLargest = kLossOfQ4_0,
          .zeroPoint = kZeroPoint,
          .largestQuant = 15,
          .pack = pack,
          .value = value,
          .decode = decode,
          .quant = quant,
          .scale = scale,
          .minimum = nullptr};
}

} // namespace format
} // namespace qwen::codegen
