// SuperBlocks.cpp - scales and minima of q4k and q5k.
#include "codegen/formats/SuperBlocks.h"

namespace qwen::codegen {

using namespace Halide;

std::vector<Plane> superPlanes(std::vector<Plane> quantPlanes) {
  quantPlanes.push_back({"c", kGroup, kRowOfBytes, UInt(8), true});
  quantPlanes.push_back({"m", kGroup, kRowOfBytes, UInt(8), true});
  quantPlanes.push_back({"d", kSuperGroup, kRowOfF16, Float(16)});
  quantPlanes.push_back({"e", kSuperGroup, kRowOfF16, Float(16), true});
  return quantPlanes;
}

bool storeSuperScales(const PackPanel &panel, size_t first, int64_t n,
                      int64_t superBlock, const uint8_t *stored) {
  const uint8_t *packed =
      stored + 4; // 8 scales and 8 minima of 6 bits in 12 bytes
  for (int64_t i = 0; i < 8; ++i) {
    const int low = packed[i % 4], middle = packed[4 + i % 4],
              high = packed[8 + i % 4];
    const int c = i < 4 ? low & 63 : (high & 15) | (low >> 6) << 4;
    const int m = i < 4 ? middle & 63 : high >> 4 | (middle >> 6) << 4;
    panel.planes[first].at(8 * superBlock + i)[n] = uint8_t(c);
    panel.planes[first + 1].at(8 * superBlock + i)[n] = uint8_t(m);
  }
  const bool finite =
      storeF16(panel, first + 2, n, superBlock, load<uint16_t>(stored));
  return storeF16(panel, first + 3, n, superBlock,
                  load<uint16_t>(stored + 2)) &&
         finite;
}

void regroupNibbles(const uint8_t *qs, int64_t group, uint8_t *bytes) {
  // Stored: bytes 32p .. 32p + 31 hold group 2p in their low nibbles and group
  // 2p + 1 in the high ones.
  const uint8_t *pair = qs + 32 * (group / 2);
  const int shift = int(4 * (group % 2));
  for (int64_t i = 0; i < 16; ++i)
    bytes[i] =
        uint8_t((pair[i] >> shift & 15) | (pair[i + 16] >> shift & 15) << 4);
}

float superValue(const PackedPanel &planes, size_t first, int64_t n, int64_t k,
                 int q) {
  const int64_t group = k / kGroup, superBlock = k / kSuperGroup;
  const float scale = loadF16(planes[first + 2].at(superBlock), n) *
                      float(planes[first].at(group)[n]);
  const float minimum = loadF16(planes[first + 3].at(superBlock), n) *
                        float(planes[first + 1].at(group)[n]);
  return scale * float(q) - minimum;
}

Expr superScale(const PlaneParams &planes, size_t first, Expr n, Expr group,
                Expr panel) {
  return rowScale(planes[first + 2], n, group / 8, panel) *
         cast<float>(planes[first](n, group, panel));
}

Expr superMinimum(const PlaneParams &planes, size_t first, Expr n, Expr group,
                  Expr panel) {
  return rowScale(planes[first + 3], n, group / 8, panel) *
         cast<float>(planes[first + 1](n, group, panel));
}

} // namespace qwen::codegen
