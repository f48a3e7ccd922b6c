// Compensate.cpp - a tile of rows at a time: errors of finished groups by one
// matrix product, those inside a group column by column for every scale tried.
#include "codegen/quantise/Compensate.h"

#include "codegen/formats/Half.h"

#include <algorithm>
#include <cblas.h>
#include <cmath>
#include <vector>

namespace qwen::quantise {
namespace {

constexpr int64_t kTileRows = 128;
constexpr int64_t kLanes = 16; // rows whose groups are rounded together
// Adding 1.5 * 2^23 rounds to an integer, ties to even.
constexpr float kRound = 0x1.8p23f;
// Where the range ends, in quants beyond or before the largest value.
constexpr float kReach[] = {0,    0.25F, -0.25F, 0.5F, -0.5F, 0.75F, -0.75F,
                            1.0F, -1.0F, 1.3F,   1.6F, 2.0F,  2.4F};

using Lanes = float[kLanes];

/// 32 columns of 16 rows.
struct Group {
  Lanes values[kGroup];    // with the errors of earlier groups
  Lanes originals[kGroup]; // as given
};

struct Rounded {
  Lanes quants[kGroup]; // -zero .. zero - 1
  Lanes errors[kGroup]; // original - rounded
  Lanes losses;
};

/// Rounds under the scales given, adding errors to later columns.
void roundGroup(const Group &group, const Lanes &scales, float zero,
                const Factors &factors, int64_t first, Rounded &rounded) {
  Lanes inverse;
  for (int64_t r = 0; r < kLanes; ++r) {
    inverse[r] = scales[r] == 0 ? 0 : 1 / scales[r];
    rounded.losses[r] = 0;
  }
  for (int64_t k = 0; k < kGroup; ++k) {
    Lanes value;
    std::copy_n(group.values[k], kLanes, value);
    for (int64_t j = 0; j < k; ++j) {
      const float factor =
          factors.upper[size_t((first + j) * factors.width + first + k)];
      for (int64_t r = 0; r < kLanes; ++r)
        value[r] += rounded.errors[j][r] * factor;
    }
    const float pivot = factors.pivots[size_t(first + k)];
    for (int64_t r = 0; r < kLanes; ++r) {
      const float quant =
          std::min(std::max(value[r] * inverse[r], -zero), zero - 1) + kRound -
          kRound;
      const float back = quant * scales[r], residual = value[r] - back;
      rounded.quants[k][r] = quant;
      rounded.errors[k][r] = group.originals[k][r] - back;
      rounded.losses[r] += residual * residual * pivot;
    }
  }
}

/// The best of the scales tried, row by row.
void searchGroup(const Group &group, float zero, const Factors &factors,
                 int64_t first, Rounded &best, uint16_t (&halves)[kLanes]) {
  Lanes largest = {};
  for (int64_t k = 0; k < kGroup; ++k)
    for (int64_t r = 0; r < kLanes; ++r)
      if (std::fabs(group.values[k][r]) > std::fabs(largest[r]))
        largest[r] = group.values[k][r];
  bool found = false;
  for (const float reach : kReach) {
    uint16_t tried[kLanes];
    Lanes scales;
    for (int64_t r = 0; r < kLanes; ++r) {
      tried[r] = codegen::f32ToF16(largest[r] / -(zero + reach));
      if (!codegen::isFiniteF16(tried[r]))
        tried[r] = largest[r] > 0 ? 0xfbff : 0x7bff; // the largest there is
      scales[r] = codegen::f16ToF32(tried[r]);
    }
    Rounded rounded;
    roundGroup(group, scales, zero, factors, first, rounded);
    for (int64_t r = 0; r < kLanes; ++r) {
      if (found && !(rounded.losses[r] < best.losses[r]))
        continue;
      halves[r] = tried[r];
      best.losses[r] = rounded.losses[r];
      for (int64_t k = 0; k < kGroup; ++k) {
        best.quants[k][r] = rounded.quants[k][r];
        best.errors[k][r] = rounded.errors[k][r];
      }
    }
    found = true;
  }
}

/// f16 scale, for q5_0 a bit of each element, then nibbles: element i in the
/// low half of byte i, i + 16 in the high half.
void storeBlock(const Rounded &rounded, int64_t r, uint16_t half,
                BlockType type, uint8_t *block) {
  const float zero = type == BlockType::Q4_0 ? 8 : 16;
  uint32_t fifths = 0;
  uint8_t quants[kGroup];
  for (int64_t k = 0; k < kGroup; ++k) {
    quants[k] = uint8_t(rounded.quants[k][r] + zero);
    fifths |= uint32_t(quants[k] >> 4) << k;
  }
  codegen::store(block, half);
  block += sizeof(half);
  if (type == BlockType::Q5_0) {
    codegen::store(block, fifths);
    block += sizeof(fifths);
  }
  for (int64_t i = 0; i < kGroup / 2; ++i)
    block[i] = uint8_t((quants[i] & 15) | (quants[i + kGroup / 2] & 15) << 4);
}

} // namespace

int64_t blockBytes(BlockType type) {
  return type == BlockType::Q4_0 ? 2 + 16 : 2 + 4 + 16;
}

double compensate(const float *weights, int64_t rows, const Factors &factors,
                  BlockType type, uint8_t *blocks) {
  const int64_t width = factors.width, groups = width / kGroup;
  const float zero = type == BlockType::Q4_0 ? 8 : 16;
  std::vector<float> errors(static_cast<size_t>(width * kTileRows));
  std::vector<float> moved(static_cast<size_t>(kGroup * kTileRows));
  double loss = 0;
  for (int64_t row0 = 0; row0 < rows; row0 += kTileRows) {
    const int64_t count = std::min(kTileRows, rows - row0);
    std::fill(errors.begin(), errors.end(), 0);
    for (int64_t first = 0; first < width; first += kGroup) {
      std::fill(moved.begin(), moved.end(), 0);
      if (first > 0)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, int(kGroup),
                    int(kTileRows), int(first), 1,
                    &factors.upper[size_t(first)], int(width), errors.data(),
                    int(kTileRows), 0, moved.data(), int(kTileRows));
      for (int64_t lane0 = 0; lane0 < count; lane0 += kLanes) {
        const int64_t lanes = std::min(kLanes, count - lane0);
        Group group = {};
        for (int64_t k = 0; k < kGroup; ++k)
          for (int64_t r = 0; r < lanes; ++r) {
            const float original =
                weights[(row0 + lane0 + r) * width + first + k];
            group.originals[k][r] = original;
            group.values[k][r] =
                original + moved[size_t(k * kTileRows + lane0 + r)];
          }
        Rounded best;
        uint16_t halves[kLanes];
        searchGroup(group, zero, factors, first, best, halves);
        for (int64_t r = 0; r < lanes; ++r) {
          loss += double(best.losses[r]);
          for (int64_t k = 0; k < kGroup; ++k)
            errors[size_t((first + k) * kTileRows + lane0 + r)] =
                best.errors[k][r];
          storeBlock(best, r, halves[r], type,
                     blocks + ((row0 + lane0 + r) * groups + first / kGroup) *
                                  blockBytes(type));
        }
      }
    }
  }
  return loss;
}

double lossOf(const float *weights, const float *rounded, int64_t rows,
              const Factors &factors) {
  const int64_t width = factors.width;
  std::vector<float> error(static_cast<size_t>(width)), seen(error);
  double loss = 0;
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t k = 0; k < width; ++k)
      error[size_t(k)] = weights[n * width + k] - rounded[n * width + k];
    cblas_sgemv(CblasRowMajor, CblasTrans, int(width), int(width), 1,
                factors.upper.data(), int(width), error.data(), 1, 0,
                seen.data(), 1);
    for (int64_t k = 0; k < width; ++k)
      loss += double(seen[size_t(k)]) * double(seen[size_t(k)]) *
              double(factors.pivots[size_t(k)]);
  }
  return loss;
}

} // namespace qwen::quantise
