// q4k.cpp - 4-bit quants with a 6-bit scale and minimum for every 32 elements
// under two f16 for every 256.
//
// Shapes    plane q: nibbles of 32 k; c, m, d, e: SuperBlocks.h
// Numerics  value = d·c · q - e·m, equal to the stored q4_k to the bit
// Source    ggml block_q4_K: f16 d, f16 dmin, u8 scales[12], u8 qs[128]
#include "codegen/formats/SuperBlocks.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kStoredBytes = 144;
constexpr size_t kFirstScalePlane = 1;

std::vector<Plane> planes() {
  return superPlanes({{"q", kGroup, kNibbleBlock, Int(8)}});
}

int64_t pack(const PackPanel &panel) {
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) -> int64_t {
    for (int64_t superBlock = 0; superBlock < panel.innerSize / kSuperGroup;
         ++superBlock) {
      const uint8_t *stored = row + kStoredBytes * superBlock;
      if (!storeSuperScales(panel, kFirstScalePlane, n, superBlock, stored))
        return kSuperGroup * superBlock;
      for (int64_t i = 0; i < kSuperGroup / kGroup; ++i) {
        const int64_t group = kSuperGroup / kGroup * superBlock + i;
        uint8_t nibbles[16];
        regroupNibbles(stored + 16, i, nibbles);
        storeQuads(panel.planes[0].at(group), n, nibbles, 4);
      }
    }
    return -1;
  });
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  const int64_t group = k / kGroup;
  return superValue(planes, kFirstScalePlane, n, k,
                    nibbleAt(planes[0].at(group), n, k % kGroup));
}

Expr quant(const PlaneParams &planes, Expr n, Expr quad, Expr j, Expr block,
           Expr panel) {
  return asQuant(nibble(planes[0], n, quad, j, block, panel));
}

Expr scale(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return superScale(planes, kFirstScalePlane, n, group, panel);
}

Expr minimum(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return superMinimum(planes, kFirstScalePlane, n, group, panel);
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  Expr group = k / int(kGroup);
  Expr q = quant(planes, n, k % int(kGroup) / 4, k % 4, group, panel);
  return scale(planes, n, group, panel) * cast<float>(q) -
         minimum(planes, n, group, panel);
}

} // namespace

namespace format {

Format q4k() {
  return {.name = "q4k",
          .planes = planes(),
          .scaleGroup = kGroup,
          .innerMultiple = kSuperGroup,
          .storedTypes = {"q4_k"},
          .activations = {"f32", "q8g32"},
          .lossOfLargest = 0,
          .zeroPoint = 0,
          .largestQuant = 15,
          .pack = pack,
          .value = value,
          .decode = decode,
          .quant = quant,
          .scale = scale,
          .minimum = minimum};
}

} // namespace format
} // namespace qwen::codegen
