// ctest -R unit/codegen_quantise - what the exchange gives, beside all there
// is.
#include "codegen/quantise/Exchange.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace qwen::quantise {
namespace {

using Parts = std::vector<std::vector<Choice>>;

struct Sum {
  int64_t bytes = 0;
  double loss = 0;
};

Sum sumOf(const Parts &parts, const std::vector<int64_t> &chosen) {
  Sum sum;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Choice &choice = parts[i][size_t(chosen[i])];
    sum.bytes += choice.bytes;
    sum.loss += choice.loss;
  }
  return sum;
}

double leastLoss(const Parts &parts, int64_t bytes, size_t part = 0) {
  if (part == parts.size())
    return 0;
  double least = std::numeric_limits<double>::infinity();
  for (const Choice &choice : parts[part])
    if (choice.bytes <= bytes)
      least =
          std::min(least, choice.loss +
                              leastLoss(parts, bytes - choice.bytes, part + 1));
  return least;
}

TEST(Exchange, BytesGoWhereTheySaveMost) {
  const Parts parts = {{{10, 8.0}, {12, 2.0}, {20, 1.9}},
                       {{100, 3.0}, {120, 1.0}},
                       {{10, 0.1}, {12, 0.05}}};
  EXPECT_EQ(exchangeFormats(parts, 120), (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(exchangeFormats(parts, 122), (std::vector<int64_t>{1, 0, 0}));
  EXPECT_EQ(exchangeFormats(parts, 142), (std::vector<int64_t>{1, 1, 0}));
  EXPECT_EQ(exchangeFormats(parts, 1000), (std::vector<int64_t>{2, 1, 1}));
}

TEST(Exchange, LessThanTheLeastIsTheLeast) {
  const Parts parts = {{{20, 0.0}, {10, 1.0}}, {{5, 1.0}}};
  EXPECT_EQ(exchangeFormats(parts, 3), (std::vector<int64_t>{1, 0}));
  EXPECT_TRUE(exchangeFormats({}, 3).empty());
}

TEST(Exchange, NoBytesForNothing) {
  // Equal losses, one that is no number, and a longer one that is worse.
  const Parts parts = {{{10, 1.0}, {20, 1.0}},
                       {{10, 1.0}, {20, std::nan("")}},
                       {{10, 1.0}, {20, 2.0}}};
  EXPECT_EQ(exchangeFormats(parts, 1000), (std::vector<int64_t>{0, 0, 0}));
}

TEST(Exchange, IsNearTheBestThereIs) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> unit(0, 1);
  double ours = 0, best = 0;
  for (int trial = 0; trial < 200; ++trial) {
    Parts parts(6);
    for (auto &choices : parts) {
      const double loss = std::exp(4 * unit(random));
      const auto size = int64_t(10 + 90 * unit(random));
      choices = {{4 * size, loss}, {5 * size, loss / 4}, {8 * size, loss / 99}};
    }
    int64_t least = 0;
    for (const auto &choices : parts)
      least += choices[0].bytes;
    const auto budget = int64_t(double(least) * (1 + unit(random)));
    const Sum sum = sumOf(parts, exchangeFormats(parts, budget));
    const double optimum = leastLoss(parts, budget);
    ASSERT_LE(sum.bytes, budget);
    ASSERT_LE(sum.loss, optimum * 1.5);
    ours += sum.loss;
    best += optimum;
  }
  EXPECT_LT(ours, 1.03 * best);
}

} // namespace
} // namespace qwen::quantise
