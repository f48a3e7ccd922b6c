// q8g32s.cpp - q8g32 with the two nibbles of a quant in planes of their own, so
// that the high ones can be read alone, and what that costs.
//
// Shapes    planes h and l: the high and the low nibbles of 32 k; plane s: f16
// [16 n]; plane b: the upper half of an f32 [16 n], for 128 k
// Numerics  value = s * (16 h + l - 128), as in q8g32; the coarse value
// is s * (16 (h - 8) + 7.5), so the two differ by s * (l - 7.5). With r that
// residual, w the value and c = 16 s (h - 8), all over one block of 128,
//   b >= ‖r‖ + γ (‖w‖ + ‖c‖ + ‖7.5 s‖), γ = 1.01 (2 K/32 + 6) 2^-24:
// ‖r‖ ‖x‖ is Cauchy's and Schwarz's; γ is for the roundings. A score is a sum
// over K/32 groups of at most two fused steps each, on products of three exact
// factors, so no term passes more than 2 K/32 + 2 roundings, and the sizes of
// the terms sum to at most ‖w‖ ‖x‖ in one score, (‖c‖ + ‖7.5 s‖) ‖x‖ in the
// other. ARCHITECTURE.md, "The screened head"
#include "codegen/formats/Blocks.h"
#include "codegen/formats/Quantise.h"

#include <cmath>

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int64_t kGroup = 32;
constexpr int64_t kBoundGroup = 128;
constexpr int kZeroPoint = 128;
constexpr int kCoarseZero = 8;
constexpr float kStep = 16.0f;  // of the coarse copy, in scales
constexpr float kMiddle = 7.5f; // of the low nibbles

enum PlaneIndex : size_t { kHigh, kScale, kLow, kBound };

std::vector<Plane> coarsePlanes() {
  return {{"h", kGroup, kNibbleBlock, Int(8)},
          {"s", kGroup, kRowOfF16, Float(16), true}};
}

std::vector<Plane> planes() {
  std::vector<Plane> all = coarsePlanes();
  all.push_back({"l", kGroup, kNibbleBlock, Int(8)});
  all.push_back({"b", kBoundGroup, kRowOfF16, UInt(16)});
  return all;
}

/// Squares of the norms in the formula above.
struct Norms {
  double residual = 0, value = 0, coarse = 0, middle = 0;
};

/// The upper half of the least f32 of 8 significant bits that is no smaller.
uint16_t roundedUp(double value) {
  const float nearest = float(value);
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (double(nearest) < value)
    ++bits;
  return uint16_t((bits + 0xffff) >> 16);
}

uint16_t boundOf(const Norms &norms, int64_t innerSize) {
  const int64_t roundings = 2 * (innerSize / kGroup) + 6;
  const double rounding = 1.01 * double(roundings) * 0x1p-24;
  return roundedUp(
      (std::sqrt(norms.residual) +
       rounding * (std::sqrt(norms.value) + std::sqrt(norms.coarse) +
                   std::sqrt(norms.middle))) *
      (1 + 0x1p-40));
}

int64_t pack(const PackPanel &panel) {
  constexpr int64_t kGroups = kBoundGroup / kGroup;
  Norms norms;
  auto place = [&](const uint8_t *block, int64_t n, int64_t group) {
    if (group % kGroups == 0)
      norms = {};
    const auto half = load<uint16_t>(block);
    const double scale = f16ToF32(half);
    uint8_t quants[kGroup], high[kGroup / 2], low[kGroup / 2];
    for (int64_t i = 0; i < kGroup; ++i) {
      quants[i] = block[2 + i] ^ uint8_t(kZeroPoint);
      const double h = quants[i] >> 4, l = quants[i] & 15;
      norms.residual += std::pow(scale * (l - kMiddle), 2);
      norms.value += std::pow(scale * (kStep * h + l - kZeroPoint), 2);
      norms.coarse += std::pow(scale * kStep * (h - kCoarseZero), 2);
      norms.middle += std::pow(scale * kMiddle, 2);
    }
    for (int64_t i = 0; i < kGroup / 2; ++i) {
      high[i] = uint8_t(quants[i] >> 4 | (quants[i + kGroup / 2] & 0xf0));
      low[i] = uint8_t((quants[i] & 15) | quants[i + kGroup / 2] << 4);
    }
    storeF16(panel, kScale, n, group, half);
    storeQuads(panel.planes[kHigh].at(group), n, high, 4);
    storeQuads(panel.planes[kLow].at(group), n, low, 4);
    if (group % kGroups == kGroups - 1)
      store(panel.planes[kBound].at(group / kGroups) + 2 * n,
            boundOf(norms, panel.innerSize));
  };
  return packBlocks(panel, planes, "q8_0", encodeQ8_0, place);
}

int highAt(const PackedPanel &planes, int64_t n, int64_t k) {
  return nibbleAt(planes[kHigh].at(k / kGroup), n, k % kGroup);
}

float scaleAt(const PackedPanel &planes, int64_t n, int64_t k) {
  return loadF16(planes[kScale].at(k / kGroup), n);
}

float value(const PackedPanel &planes, int64_t n, int64_t k) {
  const int low = nibbleAt(planes[kLow].at(k / kGroup), n, k % kGroup);
  return scaleAt(planes, n, k) *
         float(16 * highAt(planes, n, k) + low - kZeroPoint);
}

float coarseValue(const PackedPanel &planes, int64_t n, int64_t k) {
  return scaleAt(planes, n, k) *
         (kStep * float(highAt(planes, n, k) - kCoarseZero) + kMiddle);
}

float boundValue(const PackedPanel &planes, int64_t n, int64_t block) {
  return bf16ToF32(load<uint16_t>(planes[kBound].at(block) + 2 * n));
}

Expr quant(const PlaneParams &planes, Expr n, Expr quad, Expr j, Expr block,
           Expr panel) {
  return asQuant(
      (nibble(planes[kHigh], n, quad, j, block, panel) << cast<int8_t>(4)) |
      nibble(planes[kLow], n, quad, j, block, panel));
}

Expr coarseQuant(const PlaneParams &planes, Expr n, Expr quad, Expr j,
                 Expr block, Expr panel) {
  return asQuant(nibble(planes[kHigh], n, quad, j, block, panel));
}

Expr scale(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return rowScale(planes[kScale], n, group, panel);
}

Expr coarseScale(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return scale(planes, n, group, panel) * kStep;
}

Expr coarseMinimum(const PlaneParams &planes, Expr n, Expr group, Expr panel) {
  return scale(planes, n, group, panel) * -kMiddle;
}

Expr bound(const PlaneParams &planes, Expr n, Expr block, Expr panel) {
  return reinterpret<float>(cast<uint32_t>(planes[kBound](n, block, panel))
                            << 16);
}

Expr decode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  Expr block = k / int(kGroup);
  Expr q = quant(planes, n, k % int(kGroup) / 4, k % 4, block, panel);
  return scale(planes, n, block, panel) *
         cast<float>(cast<int32_t>(q) - kZeroPoint);
}

Expr coarseDecode(const PlaneParams &planes, Expr n, Expr k, Expr panel) {
  Expr block = k / int(kGroup);
  Expr q = coarseQuant(planes, n, k % int(kGroup) / 4, k % 4, block, panel);
  return scale(planes, n, block, panel) *
         (cast<float>(cast<int32_t>(q) - kCoarseZero) * kStep + kMiddle);
}

const Format *coarse() {
  static const Format format = {.name = "q8g32s",
                                .planes = coarsePlanes(),
                                .scaleGroup = kGroup,
                                .innerMultiple = kBoundGroup,
                                .storedTypes = {},
                                .activations = {"q8g32"},
                                .lossOfLargest = 0,
                                .zeroPoint = kCoarseZero,
                                .largestQuant = 15,
                                .pack = nullptr,
                                .value = coarseValue,
                                .decode = coarseDecode,
                                .quant = coarseQuant,
                                .scale = coarseScale,
                                .minimum = coarseMinimum};
  return &format;
}

} // namespace

namespace format {

Format q8g32s() {
  return {.name = "q8g32s",
          .planes = planes(),
          .scaleGroup = kGroup,
          .innerMultiple = kBoundGroup,
          .storedTypes = {"q8_0", "f32", "f16", "bf16"},
          .activations = {"f32", "q8g32"},
          .lossOfLargest = kLossOfQ8_0,
          .zeroPoint = kZeroPoint,
          .largestQuant = 255,
          .pack = pack,
          .value = value,
          .decode = decode,
          .quant = quant,
          .scale = scale,
          .minimum = nullptr,
          .sameScoresAs = "q8g32",
          .coarse = coarse,
          .boundGroup = kBoundGroup,
          .bound = bound,
          .boundValue = boundValue};
}

} // namespace format
} // namespace qwen::codegen
