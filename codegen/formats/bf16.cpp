// bf16.cpp - weights as stored in bfloat16.
//
// Shapes  plane w: one block a k, bf16 [16 n]; an f32 is the 16 bits shifted
// up, which every target does in one instruction
#include "codegen/formats/Blocks.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

std::vector<Plane> planes() { return {{"w", 1, kRowOfF16, UInt(16)}}; }

int64_t pack(const PackPanel &panel) {
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) {
    int64_t bad = -1;
    for (int64_t k = panel.innerSize - 1; k >= 0; --k) {
      const uint16_t half = load<uint16_t>(row + 2 * k);
      store(panel.planes[0].at(k) + 2 * n, half);
      bad = isFinite(bf16ToF32(half)) ? bad : k;
    }
    return bad;
  });
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  return bf16ToF32(load<uint16_t>(planes[0].at(k) + 2 * n));
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  return reinterpret<float>(cast<uint32_t>(planes[0](n, k, panel)) << 16);
}

} // namespace

namespace format {

Format bf16() {
  return {.name = "bf16",
          .planes = planes(),
          .scaleGroup = 0,
          .innerMultiple = 1,
          .storedTypes = {"bf16"},
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
