// q8g32.cpp - 8-bit quants, one f16 scale for every 32 elements of a row.
//
// Shapes    plane q: a block of 32 k, u8 [8 k/4][16 n][4 k%4]; plane s: f16 [16
// n]
// Numerics  value = s * (q - 128), equal to the stored q8_0 to the bit; floats
//           become q8_0 first (Quantise.h): |error| <= s/2 (1 + 2^-10)
// Source    ggml block_q8_0: f16 d, i8 qs[32]
#include "codegen/formats/Blocks.h"
#include "codegen/formats/Quantise.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kGroup = 32;
constexpr int64_t kQuantBytes = kGroup * kPanelRows;
constexpr int kZeroPoint = 128;

std::vector<Plane> planes() {
  return {{"q", kGroup, kQuantBytes, UInt(8)},
          {"s", kGroup, kRowOfF16, Float(16), true}};
}

int64_t pack(const PackPanel &panel) {
  return packBlocks(panel, planes, "q8_0", encodeQ8_0,
                    [&](const uint8_t *block, int64_t n, int64_t index) {
                      uint8_t quants[kGroup];
                      for (int64_t i = 0; i < kGroup; ++i)
                        quants[i] = block[2 + i] ^ uint8_t(kZeroPoint);
                      storeQuads(panel.planes[0].at(index), n, quants,
                                 kGroup / 4);
                      storeF16(panel, 1, n, index, load<uint16_t>(block));
                    });
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  const int64_t group = k / kGroup, quad = k % kGroup / 4;
  const int q = planes[0].at(group)[4 * (kPanelRows * quad + n) + k % 4];
  return loadF16(planes[1].at(group), n) * float(q - kZeroPoint);
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
          .lossOfLargest = kLossOfQ8_0,
          .zeroPoint = kZeroPoint,
          .largestQuant = 255,
          .pack = pack,
          .value = value,
          .decode = decode,
          .quant = quant,
          .scale = scale,
          .minimum = nullptr};
}

} // namespace format
} // namespace qwen::codegen
