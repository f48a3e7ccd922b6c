// q5g32.cpp - 5-bit quants, one f16 scale for every 32 elements of a row.
//
// Shapes    plane q: the low nibbles of 32 k; plane h: the fifth bits; plane s:
//           f16 [16 n]
// Numerics  value = s * (q - 16), equal to the stored q5_0 to the bit; floats
//           become q5_0 first (Quantise.h)
// Source    ggml block_q5_0: f16 d, u32 qh with bit i for element i, u8 qs[16]
//           as in block_q4_0
#include "codegen/formats/Blocks.h"
#include "codegen/formats/Quantise.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kGroup = 32;
constexpr int kZeroPoint = 16;

std::vector<Plane> planes() {
  return {{"h", kGroup, kBitBlock, Int(8)},
          {"q", kGroup, kNibbleBlock, Int(8), true},
          {"s", kGroup, kRowOfF16, Float(16), true}};
}

/// Bit 4 * quad + j of `bits` to bit `quad` of byte j.
uint32_t transposeBits(uint32_t bits) {
  uint32_t bytes = 0;
  for (int j = 0; j < 4; ++j) {
    uint32_t spread = bits >> j & 0x11111111;
    spread = (spread | spread >> 3) & 0x03030303;
    spread = (spread | spread >> 6) & 0x000f000f;
    bytes |= ((spread | spread >> 12) & 0xff) << (8 * j);
  }
  return bytes;
}

int64_t pack(const PackPanel &panel) {
  return packBlocks(panel, planes, "q5_0", encodeQ5_0,
                    [&](const uint8_t *block, int64_t n, int64_t index) {
                      storeQuads(panel.planes[1].at(index), n, block + 6, 4);
                      store(panel.planes[0].at(index) + 4 * n,
                            transposeBits(load<uint32_t>(block + 2)));
                      storeF16(panel, 2, n, index, load<uint16_t>(block));
                    });
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  const int64_t group = k / kGroup;
  const int q = nibbleAt(planes[1].at(group), n, k % kGroup) |
                bitAt(planes[0].at(group), n, k % kGroup) << 4;
  return loadF16(planes[2].at(group), n) * float(q - kZeroPoint);
}

Expr quant(const PlaneParams &planes, Expr n, Expr quad, Expr j, Expr block,
           Expr panel) {
  return asQuant(nibble(planes[1], n, quad, j, block, panel) |
                 (bit(planes[0], n, quad, j, block, panel) << cast<int8_t>(4)));
}

Expr scale(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return rowScale(planes[2], n, group, panel);
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  Expr block = k / int(kGroup);
  Expr q = quant(planes, n, k % int(kGroup) / 4, k % 4, block, panel);
  return scale(planes, n, block, panel) *
         cast<float>(cast<int32_t>(q) - kZeroPoint);
}

} // namespace

namespace format {

Format q5g32() {
  return {.name = "q5g32",
          .planes = planes(),
          .scaleGroup = kGroup,
          .innerMultiple = kGroup,
          .storedTypes = {"q5_0", "f32", "f16", "bf16"},
          .activations = {"f32", "q8g32"},
          .lossOfLargest = kLossOfQ5_0,
          .zeroPoint = kZeroPoint,
          .largestQuant = 31,
          .pack = pack,
          .value = value,
          .decode = decode,
          .quant = quant,
          .scale = scale,
          .minimum = nullptr};
}

} // namespace format
} // namespace qwen::codegen
