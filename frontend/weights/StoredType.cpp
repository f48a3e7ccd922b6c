// StoredType.cpp - the table of stored element types.
#include "frontend/weights/StoredType.h"

namespace qwen {
namespace {

constexpr StoredType kStoredTypes[] = {
    {.name = "f32",
     .elemsPerBlock = 1,
     .bytesPerBlock = 4,
     .safetensorsName = "F32",
     .ggmlType = 0,
     .quantized = false},
    {.name = "f16",
     .elemsPerBlock = 1,
     .bytesPerBlock = 2,
     .safetensorsName = "F16",
     .ggmlType = 1,
     .quantized = false},
    {.name = "bf16",
     .elemsPerBlock = 1,
     .bytesPerBlock = 2,
     .safetensorsName = "BF16",
     .ggmlType = 30,
     .quantized = false},
    {.name = "q8_0",
     .elemsPerBlock = 32,
     .bytesPerBlock = 2 + 32,
     .safetensorsName = nullptr,
     .ggmlType = 8,
     .quantized = true},
    {.name = "q4_0",
     .elemsPerBlock = 32,
     .bytesPerBlock = 2 + 16,
     .safetensorsName = nullptr,
     .ggmlType = 2,
     .quantized = true},
    {.name = "q5_0",
     .elemsPerBlock = 32,
     .bytesPerBlock = 2 + 4 + 16,
     .safetensorsName = nullptr,
     .ggmlType = 6,
     .quantized = true},
    {.name = "q4_k",
     .elemsPerBlock = 256,
     .bytesPerBlock = 2 + 2 + 12 + 128,
     .safetensorsName = nullptr,
     .ggmlType = 12,
     .quantized = true},
    {.name = "q5_k",
     .elemsPerBlock = 256,
     .bytesPerBlock = 2 + 2 + 12 + 32 + 128,
     .safetensorsName = nullptr,
     .ggmlType = 13,
     .quantized = true},
    {.name = "q6_k",
     .elemsPerBlock = 256,
     .bytesPerBlock = 128 + 64 + 16 + 2,
     .safetensorsName = nullptr,
     .ggmlType = 14,
     .quantized = true},
};

struct GgmlName {
  uint32_t type;
  const char *name;
};

constexpr GgmlName kOtherGgmlTypes[] = {
    {3, "q4_1"},     {7, "q5_1"},    {9, "q8_1"},     {10, "q2_k"},
    {11, "q3_k"},    {15, "q8_k"},   {16, "iq2_xxs"}, {17, "iq2_xs"},
    {18, "iq3_xxs"}, {19, "iq1_s"},  {20, "iq4_nl"},  {21, "iq3_s"},
    {22, "iq2_s"},   {23, "iq4_xs"}, {24, "i8"},      {25, "i16"},
    {26, "i32"},     {27, "i64"},    {28, "f64"},     {29, "iq1_m"},
    {34, "tq1_0"},   {35, "tq2_0"},  {39, "mxfp4"},
};

} // namespace

std::span<const StoredType> storedTypes() { return kStoredTypes; }

const StoredType *findStoredType(std::string_view name) {
  for (const StoredType &type : kStoredTypes)
    if (name == type.name)
      return &type;
  return nullptr;
}

const StoredType *findSafetensorsType(std::string_view dtype) {
  for (const StoredType &type : kStoredTypes)
    if (type.safetensorsName && dtype == type.safetensorsName)
      return &type;
  return nullptr;
}

const StoredType *findGgmlType(uint32_t ggmlType) {
  for (const StoredType &type : kStoredTypes)
    if (ggmlType == type.ggmlType)
      return &type;
  return nullptr;
}

std::string ggmlTypeName(uint32_t ggmlType) {
  if (const StoredType *type = findGgmlType(ggmlType))
    return type->name;
  for (const GgmlName &other : kOtherGgmlTypes)
    if (ggmlType == other.type)
      return other.name;
  return "type " + std::to_string(ggmlType);
}

std::string storedTypeNames(bool safetensorsOnly) {
  std::string names;
  for (const StoredType &type : kStoredTypes) {
    if (safetensorsOnly && !type.safetensorsName)
      continue;
    if (!names.empty())
      names += ", ";
    names += safetensorsOnly ? type.safetensorsName : type.name;
  }
  return names;
}

std::optional<int64_t> storedBytes(const StoredType &type,
                                   const std::vector<int64_t> &shape) {
  int64_t elements = 1;
  for (int64_t dimension : shape)
    if (dimension < 0 || __builtin_mul_overflow(elements, dimension, &elements))
      return std::nullopt;
  int64_t row = shape.empty() ? 1 : shape.back();
  int64_t bytes = 0;
  if (row % type.elemsPerBlock != 0 ||
      __builtin_mul_overflow(elements / type.elemsPerBlock, type.bytesPerBlock,
                             &bytes))
    return std::nullopt;
  return bytes;
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

} // namespace qwen
