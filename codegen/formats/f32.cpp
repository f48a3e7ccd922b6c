// f32.cpp - weights as 32-bit floats: the format in which nothing is lost and
// the judge of the others.
//
// Shapes  plane w: one block a k, f32 [16 n]
#include "codegen/formats/Blocks.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

std::vector<Plane> planes() { return {{"w", 1, 4 * kPanelRows, Float(32)}}; }

int64_t pack(const PackPanel &panel) {
  std::vector<float> values(static_cast<size_t>(panel.innerSize));
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) {
    loadFloats(panel.storedType, row, panel.innerSize, values.data());
    for (int64_t k = 0; k < panel.innerSize; ++k)
      store(panel.planes[0].at(k) + 4 * n, values[size_t(k)]);
    return firstNonFinite(values.data(), panel.innerSize);
  });
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  return load<float>(planes[0].at(k) + 4 * n);
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  return planes[0](n, k, panel);
}

} // namespace

namespace format {

Format f32() {
  return {.name = "f32",
          .planes = planes(),
          .scaleGroup = 0,
          .innerMultiple = 1,
          .storedTypes = {"f32", "f16", "bf16"},
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
