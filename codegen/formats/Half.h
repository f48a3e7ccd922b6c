// Half.h - values in bytes, and f16 and bf16 without instructions for them.
//
// Numerics  the same bits on every CPU
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace qwen::codegen {

template <typename T> T load(const uint8_t *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

template <typename T> void store(uint8_t *bytes, T value) {
  std::memcpy(bytes, &value, sizeof(T));
}

/// Exact; subnormals, infinities and NaNs included.
inline float f16ToF32(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 0) {
    const float magnitude = float(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  const uint32_t bits = exponent == 31 ? 0x7f800000 : (exponent + 112) << 23;
  return std::bit_cast<float>(sign | bits | mantissa << 13);
}

/// Rounds to nearest, ties to even; overflows to infinity.
inline uint16_t f32ToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  if (magnitude >= 0x477ff000) // 65520, half way from the largest f16 to the
                               // next power of two
    return sign | 0x7c00;
  if (magnitude < 0x38800000) { // below 2^-14: adding 0.5 leaves the rounded
                                // multiple of 2^-24 in the low bits
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | uint16_t(std::bit_cast<uint32_t>(shifted) - 0x3f000000);
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return sign | uint16_t((rounded - 0x38000000) >> 13);
}

inline float bf16ToF32(uint16_t half) {
  return std::bit_cast<float>(uint32_t(half) << 16);
}

inline bool isFinite(float value) {
  return (std::bit_cast<uint32_t>(value) & 0x7f800000) != 0x7f800000;
}
inline bool isFiniteF16(uint16_t half) { return (half & 0x7c00) != 0x7c00; }

} // namespace qwen::codegen
