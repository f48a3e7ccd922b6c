// Dequantize.cpp - block decoders, and rows read through them.
//
// Numerics  one rounding an operation: no contraction to fma
#include "frontend/weights/Dequantize.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

namespace qwen {
namespace {

uint16_t load16(const uint8_t *bytes) {
  return uint16_t(bytes[0] | bytes[1] << 8);
}

uint32_t load32(const uint8_t *bytes) {
  return uint32_t(load16(bytes)) | uint32_t(load16(bytes + 2)) << 16;
}

float scaled(float scale, int quant) { return scale * float(quant); }

/// scale * quant - minimum with both roundings, whatever the compiler's
/// default for contraction is.
float scaledAbove(float scale, int quant, float minimum) {
#pragma STDC FP_CONTRACT OFF
  float product = scale * float(quant);
  return product - minimum;
}

void decodeQ8_0(const uint8_t *block, double *out) {
  float scale = halfToFloat(load16(block));
  for (int i = 0; i < 32; ++i)
    out[i] = scaled(scale, int8_t(block[2 + i]));
}

void decodeQ4_0(const uint8_t *block, double *out) {
  float scale = halfToFloat(load16(block));
  for (int i = 0; i < 32; ++i)
    out[i] = scaled(scale, (block[2 + i % 16] >> (i / 16 * 4) & 15) - 8);
}

void decodeQ5_0(const uint8_t *block, double *out) {
  float scale = halfToFloat(load16(block));
  uint32_t high = load32(block + 2);
  for (int i = 0; i < 32; ++i) {
    int low = block[6 + i % 16] >> (i / 16 * 4) & 15;
    out[i] = scaled(scale, (low | int(high >> i & 1) << 4) - 16);
  }
}

/// The 6-bit scale and minimum of group `group`, 0..7: their packing in 12
/// bytes is ggml's `get_scale_min_k4`.
struct ScaleMin {
  int scale;
  int minimum;
};
ScaleMin unpackScaleMin(const uint8_t *packed, int group) {
  if (group < 4)
    return {packed[group] & 63, packed[group + 4] & 63};
  return {(packed[group + 4] & 15) | (packed[group - 4] >> 6) << 4,
          packed[group + 4] >> 4 | (packed[group] >> 6) << 4};
}

/// q4_k and q5_k differ in the 32 bytes of fifth bits; `high` is null for q4_k.
void decodeScaleMin(const uint8_t *block, const uint8_t *high,
                    const uint8_t *low, double *out) {
  float scale = halfToFloat(load16(block));
  float minimum = halfToFloat(load16(block + 2));
  for (int group = 0; group < 8; ++group) {
    ScaleMin packed = unpackScaleMin(block + 4, group);
    float groupScale = scaled(scale, packed.scale);
    float groupMinimum = scaled(minimum, packed.minimum);
    for (int i = 0; i < 32; ++i) {
      int quant = low[group / 2 * 32 + i] >> (group % 2 * 4) & 15;
      if (high)
        quant |= (high[i] >> group & 1) << 4;
      out[group * 32 + i] = scaledAbove(groupScale, quant, groupMinimum);
    }
  }
}

void decodeQ4K(const uint8_t *block, double *out) {
  decodeScaleMin(block, nullptr, block + 16, out);
}

void decodeQ5K(const uint8_t *block, double *out) {
  decodeScaleMin(block, block + 16, block + 48, out);
}

void decodeQ6K(const uint8_t *block, double *out) {
  const uint8_t *low = block;          // [2][64]
  const uint8_t *high = block + 128;   // [2][32]
  const uint8_t *scales = block + 192; // i8 [16]
  float scale = halfToFloat(load16(block + 208));
  for (int k = 0; k < 256; ++k) {
    int half = k / 128, chunk = k / 32 % 4, i = k % 32;
    int quant = low[half * 64 + chunk % 2 * 32 + i] >> (chunk / 2 * 4) & 15;
    quant |= (high[half * 32 + i] >> (chunk * 2) & 3) << 4;
    out[k] = scaled(scaled(scale, int8_t(scales[k / 16])), quant - 32);
  }
}

void decodeF32(const uint8_t *block, double *out) {
  *out = std::bit_cast<float>(load32(block));
}

void decodeF16(const uint8_t *block, double *out) {
  *out = halfToFloat(load16(block));
}

void decodeBf16(const uint8_t *block, double *out) {
  *out = bfloatToFloat(load16(block));
}

using BlockDecoder = void (*)(const uint8_t *block, double *out);

struct DecoderRow {
  std::string_view storedType;
  BlockDecoder decode;
};

constexpr DecoderRow kDecoders[] = {
    {"f32", decodeF32},   {"f16", decodeF16},   {"bf16", decodeBf16},
    {"q8_0", decodeQ8_0}, {"q4_0", decodeQ4_0}, {"q5_0", decodeQ5_0},
    {"q4_k", decodeQ4K},  {"q5_k", decodeQ5K},  {"q6_k", decodeQ6K},
};

} // namespace

float halfToFloat(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t exponent = bits >> 10 & 31;
  uint32_t fraction = bits & 1023;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) {
    float magnitude = float(fraction) * 0x1p-24f; // exact
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

float bfloatToFloat(uint16_t bits) {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

bool dequantizeRow(std::string_view storedType, const uint8_t *bytes,
                   int64_t elements, double *out) {
  const StoredType *type = findStoredType(storedType);
  if (!type || elements < 0 || elements % type->elemsPerBlock != 0)
    return false;
  for (const DecoderRow &row : kDecoders) {
    if (row.storedType != storedType)
      continue;
    for (int64_t done = 0; done < elements; done += type->elemsPerBlock) {
      row.decode(bytes, out + done);
      bytes += type->bytesPerBlock;
    }
    return true;
  }
  return false;
}

bool readTensorBytes(const StoredTensor &tensor, int64_t row0, int64_t rows,
                     std::vector<uint8_t> &out, Diagnostics &diags) {
  bool matrix = tensor.shape.size() == 2;
  int64_t allRows = matrix ? tensor.shape[0] : 1;
  // A caller's mistake, but never a read outside the tensor.
  if (tensor.shape.empty() || tensor.shape.size() > 2 || allRows < 1 ||
      tensor.sizeBytes % allRows != 0 || row0 < 0 || rows < 0 ||
      rows > allRows - row0) {
    diags.error(diag::TensorUnreadable, {tensor.path}, tensor.name, int64_t(0),
                rows, row0);
    return false;
  }
  int64_t rowBytes = tensor.sizeBytes / allRows;
  int64_t wanted = rows * rowBytes;
  int64_t offset = tensor.offsetBytes + row0 * rowBytes;
  out.resize(size_t(wanted));
  std::ifstream in(tensor.path, std::ios::binary);
  in.seekg(offset);
  in.read(reinterpret_cast<char *>(out.data()), wanted);
  if (!in || in.gcount() != wanted) {
    diags.error(diag::TensorUnreadable, {tensor.path}, tensor.name,
                int64_t(in.gcount()), wanted, offset);
    return false;
  }
  return true;
}

bool readTensorRows(const StoredTensor &tensor, int64_t row0, int64_t rows,
                    std::vector<double> &out, Diagnostics &diags) {
  std::vector<uint8_t> bytes;
  if (!readTensorBytes(tensor, row0, rows, bytes, diags))
    return false;
  int64_t elements = rows * tensor.shape.back();
  out.resize(size_t(elements));
  if (dequantizeRow(tensor.storedType, bytes.data(), elements, out.data()))
    return true;
  diags.error(diag::TensorTypeUnknown, {tensor.path}, tensor.name,
              tensor.storedType, storedTypeNames(false));
  return false;
}

bool readTensorRows(const StoredTensor &tensor, int64_t row0, int64_t rows,
                    std::vector<double> &out) {
  Diagnostics diags(std::cerr);
  return readTensorRows(tensor, row0, rows, out, diags);
}

} // namespace qwen
