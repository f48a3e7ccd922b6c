// f32.cpp - weights as 32-bit floats: the format in which nothing is lost and
// the judge of the others.
//
// Shapes  plane w: one block a k, f32 [16 n]
#include "codegen/formats/Blocks.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

int64_t pack(const PackPanel &panel) {
  std::vector<float> row(size_t(panel.innerSize));
  for (int64_t n = 0; n < kPanelRows; ++n) {
    if (panel.rows[n])
      loadFloats(panel.storedType, panel.rows[n], panel.innerSize, row.data());
    else
      std::fill(row.begin(), row.end(), 0.0f);
    if (const int64_t k = firstNonFinite(row.data(), panel.innerSize); k >= 0)
      return n * panel.innerSize + k;
    uint8_t *out = panel.planes[0] + 4 * n;
    for (int64_t k = 0; k < panel.innerSize; ++k)
      store(out + 4 * kPanelRows * k, row[size_t(k)]);
  }
  return -1;
}

float value(const uint8_t *const *planes, int64_t, int64_t n, int64_t k) {
  return load<float>(planes[0] + 4 * (kPanelRows * k + n));
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  return planes[0](n, k, panel);
}

} // namespace

namespace format {

Format f32() {
  return {.name = "f32",
          .planes = {{"w", 1, 4 * kPanelRows, Float(32)}},
          .scaleGroup = 0,
          .innerMultiple = 1,
          .storedTypes = {"f32", "f16", "bf16"},
          .activations = {"f32"},
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
