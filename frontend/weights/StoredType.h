// StoredType.h - the element types that a checkpoint may store, with their
// block layout.
//
// Source  safetensors dtypes; ggml-common.h block structures
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qwen {

struct StoredType {
  const char *name; // as in StoredTensor::storedType
  int64_t elemsPerBlock;
  int64_t bytesPerBlock;
  const char *safetensorsName; // "BF16"; null when that format has none
  uint32_t ggmlType;
  bool quantized;
};

std::span<const StoredType> storedTypes();

/// Null when there is none of that name, dtype or ggml number.
const StoredType *findStoredType(std::string_view name);
const StoredType *findSafetensorsType(std::string_view dtype);
const StoredType *findGgmlType(uint32_t type);

/// ggml's own name of a type, also of an unsupported one: "q3_k", "type 99".
std::string ggmlTypeName(uint32_t type);

/// "f32, f16, ...": for messages; those that safetensors has, or all.
std::string storedTypeNames(bool safetensorsOnly);

/// Bytes of a tensor; nothing when its rows (last dimension) are no whole
/// number of blocks, a dimension is negative, or the count does not fit. No
/// dimensions are one element.
std::optional<int64_t> storedBytes(const StoredType &type,
                                   const std::vector<int64_t> &shape);

/// "[4864, 896]"
std::string shapeText(const std::vector<int64_t> &shape);

} // namespace qwen
