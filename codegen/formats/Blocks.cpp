// Blocks.cpp - rows of stored floats.
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

} // namespace qwen::codegen
