// ctest -R unit/codegen_quantise - compensated rounding against plain rounding,
// by the error that a linear's results have.
#include "codegen/quantise/Compensate.h"

#include "codegen/formats/Quantise.h"
#include "frontend/weights/Dequantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace qwen::quantise {
namespace {

struct Type {
  BlockType type;
  const char *name;
  float zero;
  void (*encode)(const float *values, uint8_t *block);
};

const Type kTypes[] = {{BlockType::Q4_0, "q4_0", 8, codegen::encodeQ4_0},
                       {BlockType::Q5_0, "q5_0", 16, codegen::encodeQ5_0}};

std::vector<float> normal(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> values;
  std::vector<float> made(static_cast<size_t>(count));
  for (float &value : made)
    value = values(random);
  return made;
}

/// Rows whose columns go together: a few hidden causes and some noise.
std::vector<float> inputs(int64_t count, int64_t width, uint32_t seed) {
  constexpr int64_t kCauses = 12;
  const std::vector<float> mix = normal(kCauses * width, seed),
                           causes = normal(count * kCauses, seed + 1);
  std::vector<float> rows = normal(count * width, seed + 2);
  for (int64_t t = 0; t < count; ++t)
    for (int64_t k = 0; k < width; ++k) {
      float &value = rows[size_t(t * width + k)];
      value *= 0.3F;
      for (int64_t c = 0; c < kCauses; ++c)
        value += causes[size_t(t * kCauses + c)] * mix[size_t(c * width + k)];
    }
  return rows;
}

Factors factorsOf(const std::vector<float> &rows, int64_t width) {
  Hessian hessian(width);
  hessian.add(rows.data(), int64_t(rows.size()) / width);
  return hessian.factors();
}

std::vector<float> decoded(const std::vector<uint8_t> &blocks, const char *type,
                           int64_t count) {
  std::vector<double> values(static_cast<size_t>(count));
  EXPECT_TRUE(dequantizeRow(type, blocks.data(), count, values.data()));
  return {values.begin(), values.end()};
}

std::vector<float> plainlyRounded(const std::vector<float> &weights,
                                  const Type &type) {
  const int64_t bytes = blockBytes(type.type);
  std::vector<uint8_t> blocks(weights.size() / kGroup * size_t(bytes));
  for (size_t i = 0; i < weights.size() / kGroup; ++i)
    type.encode(&weights[i * kGroup], &blocks[i * size_t(bytes)]);
  return decoded(blocks, type.name, int64_t(weights.size()));
}

/// Sum of the squares of what a linear's results change.
double change(const std::vector<float> &weights,
              const std::vector<float> &rounded, int64_t width,
              const std::vector<float> &rows) {
  double sum = 0;
  for (size_t n = 0; n < weights.size(); n += size_t(width))
    for (size_t t = 0; t < rows.size(); t += size_t(width)) {
      double dot = 0;
      for (size_t k = 0; k < size_t(width); ++k)
        dot += double(weights[n + k] - rounded[n + k]) * double(rows[t + k]);
      sum += dot * dot;
    }
  return sum;
}

TEST(Hessian, FactorsGiveItBack) {
  constexpr int64_t kWidth = 64, kCount = 200;
  const std::vector<float> rows = inputs(kCount, kWidth, 5);
  const Factors factors = factorsOf(rows, kWidth);
  for (int64_t i = 0; i < kWidth; ++i)
    for (int64_t j = 0; j < kWidth; ++j) {
      double product = 0, sum = 0;
      for (int64_t m = 0; m < kWidth; ++m)
        product += double(factors.upper[size_t(i * kWidth + m)]) *
                   double(factors.upper[size_t(j * kWidth + m)]) *
                   double(factors.pivots[size_t(m)]);
      for (int64_t t = 0; t < kCount; ++t)
        sum += double(rows[size_t(t * kWidth + i)]) *
               double(rows[size_t(t * kWidth + j)]);
      if (i == j) {
        EXPECT_GT(product, sum);
        EXPECT_LT(product, sum * 1.02);
      } else {
        EXPECT_NEAR(product, sum, 1e-2 * kCount);
      }
      EXPECT_FLOAT_EQ(factors.upper[size_t(i * kWidth + j)],
                      i == j  ? 1
                      : i > j ? 0
                              : factors.upper[size_t(i * kWidth + j)]);
    }
}

TEST(Hessian, NothingSeenIsTheIdentity) {
  for (float value : {0.0F, std::nanf(""), INFINITY}) {
    const Factors factors = factorsOf(std::vector<float>(64, value), 32);
    EXPECT_EQ(factors.pivots, std::vector<float>(32, 1));
  }
}

TEST(Compensate, ChangesResultsLessThanRounding) {
  for (const Type &type : kTypes)
    for (uint32_t seed = 1; seed <= 5; ++seed) {
      constexpr int64_t kWidth = 192,
                        kRows = 21; // no whole tile, no whole lane
      const std::vector<float> weights = normal(kRows * kWidth, 100 + seed),
                               rows = inputs(400, kWidth, 10 * seed);
      const Factors factors = factorsOf(rows, kWidth);
      std::vector<uint8_t> blocks(
          size_t(kRows * kWidth / kGroup * blockBytes(type.type)));
      const double loss =
          compensate(weights.data(), kRows, factors, type.type, blocks.data());
      const std::vector<float> rounded =
          decoded(blocks, type.name, kRows * kWidth);
      const std::vector<float> plain = plainlyRounded(weights, type);
      EXPECT_NEAR(lossOf(weights.data(), rounded.data(), kRows, factors), loss,
                  1e-3 * loss);
      EXPECT_LT(loss,
                0.6 * lossOf(weights.data(), plain.data(), kRows, factors));
      EXPECT_LT(change(weights, rounded, kWidth, rows),
                0.6 * change(weights, plain, kWidth, rows));
    }
}

TEST(Compensate, IsRoundingWhereInputsAreIndependent) {
  for (const Type &type : kTypes) {
    constexpr int64_t kWidth = 96, kRows = 40;
    const std::vector<float> weights = normal(kRows * kWidth, 3);
    const Factors factors = Hessian(kWidth).factors(); // nothing seen
    std::vector<uint8_t> blocks(
        size_t(kRows * kWidth / kGroup * blockBytes(type.type)));
    const double loss =
        compensate(weights.data(), kRows, factors, type.type, blocks.data());
    const std::vector<float> rounded =
        decoded(blocks, type.name, kRows * kWidth);
    const std::vector<float> plain = plainlyRounded(weights, type);
    double squares = 0, plainSquares = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      squares += std::pow(double(weights[i] - rounded[i]), 2);
      plainSquares += std::pow(double(weights[i] - plain[i]), 2);
    }
    EXPECT_NEAR(squares, loss, 1e-3 * loss);
    EXPECT_NEAR(squares, plainSquares, 0.05 * plainSquares);
    // Every value is the nearest of those that its group's scale gives.
    const int64_t bytes = blockBytes(type.type);
    for (size_t i = 0; i < weights.size(); ++i) {
      const uint8_t *block = &blocks[i / kGroup * size_t(bytes)];
      const double scale = halfToFloat(uint16_t(block[0] | block[1] << 8));
      const double low = std::min(-scale * type.zero, scale * (type.zero - 1)),
                   high = std::max(-scale * type.zero, scale * (type.zero - 1));
      const double inside = std::clamp(double(weights[i]), low, high);
      EXPECT_LE(std::fabs(double(rounded[i]) - inside),
                std::fabs(scale) * 0.5001);
    }
  }
}

TEST(Compensate, TakesZerosAndTheLargestFloats) {
  for (const Type &type : kTypes)
    for (float value : {0.0F, 3e38F, -3e38F, 1e-30F}) {
      const std::vector<float> weights(64, value);
      std::vector<uint8_t> blocks(size_t(2 * blockBytes(type.type)), 0xff);
      compensate(weights.data(), 1, Hessian(64).factors(), type.type,
                 blocks.data());
      for (float back : decoded(blocks, type.name, 64))
        EXPECT_TRUE(std::isfinite(back)) << value;
    }
}

} // namespace
} // namespace qwen::quantise
