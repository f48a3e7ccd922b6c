// f16.cpp - weights as stored in IEEE half precision.
//
// Shapes  plane w: one block a k, f16 [16 n]
#include "codegen/formats/Blocks.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

std::vector<Plane> planes() { return {{"w", 1, kRowOfF16, Float(16)}}; }

int64_t pack(const PackPanel &panel) {
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) {
    int64_t bad = -1;
    for (int64_t k = panel.innerSize - 1; k >= 0; --k) {
      const uint16_t half = load<uint16_t>(row + 2 * k);
      store(panel.planes[0].at(k) + 2 * n, half);
      bad = isFiniteF16(half) ? bad : k;
    }
    return bad;
  });
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  return loadF16(planes[0].at(k), n);
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  return rowScale(planes[0], n, k, panel);
}

} // namespace

namespace format {

Format f16() {
  return {.name = "f16",
          .planes = planes(),
          .scaleGroup = 0,
          .innerMultiple = 1,
          .storedTypes = {"f16"},
          .activations = {"f32"},
          .lossOfLargest = 0,
          .zeroPoint = 0,
          .pack = pack,
          .value = value,
          .decode = decode,
          .quant = nullptr,
          .scale = nullptr,
          .minimum = nullptr};
}

} // namespace format
} // namespace qwen::codegen
