// q6k.cpp - 6-bit quants with an i8 scale for every 16 elements under an f16
// for every 256.
//
// Shapes    plane h: the upper bit pairs of 32 k; plane q: the low nibbles;
//           plane c: i8 [2][16 n] for 32 k; plane d: f16 [16 n] for 256 k
// Numerics  value = d·c · (q - 32), equal to the stored q6_k to the bit
// Source    ggml block_q6_K: u8 ql[128], u8 qh[64], i8 scales[16], f16 d
#include "codegen/formats/Blocks.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kSuperGroup = 256;
constexpr int64_t kScaleGroup = 16;
constexpr int64_t kBlock = 32;
constexpr int64_t kStoredBytes = 210;
constexpr int64_t kScalesBlock = kBlock / kScaleGroup * kPanelRows;
constexpr int kZeroPoint = 32;

std::vector<Plane> planes() {
  return {{"h", kBlock, kBitPairBlock, Int(8)},
          {"q", kBlock, kNibbleBlock, Int(8), true},
          {"c", kBlock, kScalesBlock, Int(8), true},
          {"d", kSuperGroup, kRowOfF16, Float(16)}};
}

/// The block `index` (0..7) of 32 elements of a stored super block, for row n.
void packBlock(const PackPanel &panel, const uint8_t *stored, int64_t n,
               int64_t index, int64_t block) {
  // Stored: half h has 128 elements; block b of it takes nibble b / 2 of ql[64h
  // + 32(b % 2) ..] and bits 2b, 2b + 1 of qh[32h ..].
  const int64_t half = index / 4, inHalf = index % 4;
  const uint8_t *low = stored + 64 * half + 32 * (inHalf % 2);
  const int lowShift = int(4 * (inHalf / 2));
  uint8_t nibbles[16];
  for (int64_t i = 0; i < 16; ++i)
    nibbles[i] = uint8_t((low[i] >> lowShift & 15) |
                         (low[i + 16] >> lowShift & 15) << 4);
  storeQuads(panel.planes[1].at(block), n, nibbles, 4);

  const uint8_t *high = stored + 128 + 32 * half;
  for (int64_t r = 0; r < 2; ++r) {
    uint32_t pairs = 0;
    for (int64_t quad = 0; quad < 4; ++quad)
      pairs |= (load<uint32_t>(high + 16 * r + 4 * quad) >> (2 * inHalf) &
                0x03030303)
               << (2 * quad);
    store(panel.planes[0].at(block) + 4 * (kPanelRows * r + n), pairs);
  }
}

int64_t pack(const PackPanel &panel) {
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) -> int64_t {
    for (int64_t superBlock = 0; superBlock < panel.innerSize / kSuperGroup;
         ++superBlock) {
      const uint8_t *stored = row + kStoredBytes * superBlock;
      if (!storeF16(panel, 3, n, superBlock, load<uint16_t>(stored + 208)))
        return kSuperGroup * superBlock;
      for (int64_t i = 0; i < kSuperGroup / kScaleGroup; ++i)
        panel.planes[2].at(kSuperGroup / kBlock * superBlock +
                           i / 2)[kPanelRows * (i % 2) + n] = stored[192 + i];
      for (int64_t i = 0; i < kSuperGroup / kBlock; ++i)
        packBlock(panel, stored, n, i, kSuperGroup / kBlock * superBlock + i);
    }
    return -1;
  });
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  const int64_t block = k / kBlock;
  const int q = nibbleAt(planes[1].at(block), n, k % kBlock) |
                bitPairAt(planes[0].at(block), n, k % kBlock) << 4;
  const auto c = load<int8_t>(planes[2].at(block) +
                              kPanelRows * (k % kBlock / kScaleGroup) + n);
  const float scale = loadF16(planes[3].at(k / kSuperGroup), n) * float(c);
  return scale * float(q - kZeroPoint);
}

Expr quant(const PlaneParams &planes, Expr n, Expr quad, Expr j, Expr block,
           Expr panel) {
  return asQuant(
      nibble(planes[1], n, quad, j, block, panel) |
      (bitPair(planes[0], n, quad, j, block, panel) << cast<int8_t>(4)));
}

Expr scale(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return rowScale(planes[3], n, group / int(kSuperGroup / kScaleGroup), panel) *
         cast<float>(
             planes[2](group % 2 * int(kPanelRows) + n, group / 2, panel));
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  Expr q = quant(planes, n, k % int(kBlock) / 4, k % 4, k / int(kBlock), panel);
  return scale(planes, n, k / int(kScaleGroup), panel) *
         cast<float>(cast<int32_t>(q) - kZeroPoint);
}

} // namespace

namespace format {

Format q6k() {
  return {.name = "q6k",
          .planes = planes(),
          .scaleGroup = kScaleGroup,
          .innerMultiple = kSuperGroup,
          .storedTypes = {"q6_k"},
          .activations = {"f32", "q8g32"},
          .lossOfLargest = 0,
          .zeroPoint = kZeroPoint,
          .largestQuant = 63,
          .pack = pack,
          .value = value,
          .decode = decode,
          .quant = quant,
          .scale = scale,
          .minimum = nullptr};
}

} // namespace format
} // namespace qwen::codegen
