// Blocks.cpp - rows of stored floats, and the order of quants in a block as
// scalar code and as expressions.
#include "codegen/formats/Blocks.h"

namespace qwen::codegen {

void loadFloats(std::string_view type, const uint8_t *stored, int64_t count,
                float *values) {
  if (type == "f32") {
    std::memcpy(values, stored, size_t(count) * sizeof(float));
  } else if (type == "bf16") {
    for (int64_t i = 0; i < count; ++i)
      values[i] = bf16ToF32(load<uint16_t>(stored + 2 * i));
  } else {
    for (int64_t i = 0; i < count; ++i)
      values[i] = f16ToF32(load<uint16_t>(stored + 2 * i));
  }
}

int64_t firstNonFinite(const float *values, int64_t count) {
  bool finite = true;
  for (int64_t i = 0; i < count; ++i)
    finite &= isFinite(values[i]);
  if (finite)
    return -1;
  int64_t i = 0;
  while (isFinite(values[i]))
    ++i;
  return i;
}

int nibbleAt(const uint8_t *block, int64_t n, int64_t k) {
  const uint8_t byte = block[4 * (kPanelRows * (k % 16 / 4) + n) + k % 4];
  return k < 16 ? byte & 15 : byte >> 4;
}

int bitAt(const uint8_t *block, int64_t n, int64_t k) {
  return block[4 * n + k % 4] >> (k / 4) & 1;
}

int bitPairAt(const uint8_t *block, int64_t n, int64_t k) {
  return block[4 * (kPanelRows * (k / 16) + n) + k % 4] >> (2 * (k % 16 / 4)) &
         3;
}

using Halide::Expr;
using Halide::ImageParam;

Expr nibble(const ImageParam &plane, Expr n, Expr quad, Expr j, Expr block,
            Expr panel) {
  Expr byte = plane(quad % 4 * int(4 * kPanelRows) + n * 4 + j, block, panel);
  return (byte >> Halide::cast<int8_t>(quad / 4 * 4)) &
         Halide::cast<int8_t>(15);
}

Expr bit(const ImageParam &plane, Expr n, Expr quad, Expr j, Expr block,
         Expr panel) {
  Expr byte = plane(n * 4 + j, block, panel);
  return (byte >> Halide::cast<int8_t>(quad)) & Halide::cast<int8_t>(1);
}

Expr bitPair(const ImageParam &plane, Expr n, Expr quad, Expr j, Expr block,
             Expr panel) {
  Expr byte = plane(quad / 4 * int(4 * kPanelRows) + n * 4 + j, block, panel);
  return (byte >> Halide::cast<int8_t>(quad % 4 * 2)) & Halide::cast<int8_t>(3);
}

void clearPlanes(const PackPanel &panel, const std::vector<Plane> &planes) {
  for (size_t i = 0; i < planes.size(); ++i)
    for (int64_t block = 0; block < panel.innerSize / planes[i].group; ++block)
      std::memset(panel.planes[i].at(block), 0, size_t(planes[i].blockBytes));
}

} // namespace qwen::codegen
