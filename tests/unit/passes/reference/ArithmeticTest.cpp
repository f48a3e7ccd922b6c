// ArithmeticTest.cpp - the reference's formulas on cases small enough to
// compute by hand.
// Run: build/bin/unit_passes_reference --gtest_filter='Arithmetic*'
#include "passes/reference/Bounds.h"

#include "qwen/cache_layout.h"

#include <cmath>
#include <gtest/gtest.h>

namespace qwen::reference {
namespace {

Rows makeRows(int64_t tokens, int64_t width, std::vector<double> values) {
  Rows rows(tokens, width);
  EXPECT_EQ(rows.values.size(), values.size());
  rows.values = std::move(values);
  return rows;
}

Cache makeCache(int64_t width, int64_t capacity, const Rows &x) {
  Cache cache{.width = width, .capacity = capacity, .values = {}};
  EXPECT_TRUE(cache.append(x, 0));
  return cache;
}

TEST(Arithmetic, DotSumsEveryElement) {
  // Seven elements: one group of four and three beside it.
  double a[] = {1, 2, 3, 4, 5, 6, 7}, b[] = {7, 6, 5, 4, 3, 2, 1};
  EXPECT_EQ(dot(a, b, 7), 84);
  EXPECT_EQ(dot(a, b, 0), 0);
}

TEST(Arithmetic, RmsNormDividesByTheRootOfTheMeanSquare) {
  // Mean square of 3, 4 is 12.5.
  Rows y = rmsNorm(makeRows(1, 2, {3, 4}), {1, 10}, 0.0);
  EXPECT_DOUBLE_EQ(y.values[0], 3 / std::sqrt(12.5));
  EXPECT_DOUBLE_EQ(y.values[1], 40 / std::sqrt(12.5));
}

TEST(Arithmetic, RmsNormAddsEpsToTheMeanSquare) {
  Rows y = rmsNorm(makeRows(1, 2, {0, 0.5}), {1, 1}, 0.875);
  // (0 + 0.25) / 2 + 0.875 = 1.
  EXPECT_DOUBLE_EQ(y.values[1], 0.5);
}

TEST(Arithmetic, RmsNormTakesEachSliceOnItsOwn) {
  Rows y = rmsNorm(makeRows(2, 4, {3, 3, 5, 5, 2, 2, 0, 7}), {1, 2}, 1e-12);
  EXPECT_NEAR(y.values[0], 1, 1e-9);
  EXPECT_NEAR(y.values[1], 2, 1e-9);
  EXPECT_NEAR(y.values[2], 1, 1e-9);
  EXPECT_NEAR(y.values[3], 2, 1e-9);
  EXPECT_NEAR(y.values[6], 0, 1e-9);
  EXPECT_NEAR(y.values[7], 2 * std::sqrt(2.0), 1e-9);
}

TEST(Arithmetic, RopeRowIsCosinesThenSines) {
  // C = 4: frequencies 1 and theta^(-1/2).
  std::vector<double> row = ropeRow(10000, 4, 3);
  ASSERT_EQ(row.size(), 4u);
  EXPECT_NEAR(row[0], std::cos(3.0), 1e-7);
  EXPECT_NEAR(row[1], std::cos(0.03), 1e-7);
  EXPECT_NEAR(row[2], std::sin(3.0), 1e-7);
  EXPECT_NEAR(row[3], std::sin(0.03), 1e-7);
}

TEST(Arithmetic, RopePairsElementsHalfAHeadApart) {
  // Two heads of four; only element 1 of each is set, so it meets element 3.
  Rows y = rope(makeRows(1, 8, {0, 1, 0, 0, 0, 2, 0, 0}), 10000, 4, 5);
  double c = std::cos(0.05), s = std::sin(0.05);
  std::vector<double> expected = {0, c, 0, s, 0, 2 * c, 0, 2 * s};
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(y.values[i], expected[i], 1e-7) << i;
}

TEST(Arithmetic, RopeOfTheUpperHalfTurnsTheOtherWay) {
  Rows y = rope(makeRows(1, 2, {0, 1}), 10000, 2, 2);
  EXPECT_NEAR(y.values[0], -std::sin(2.0), 1e-7);
  EXPECT_NEAR(y.values[1], std::cos(2.0), 1e-7);
}

TEST(Arithmetic, RopeCountsRowsFromThePosition) {
  Rows both = rope(makeRows(2, 2, {1, 0, 1, 0}), 10000, 2, 6);
  EXPECT_NEAR(both.values[0], std::cos(6.0), 1e-7);
  EXPECT_NEAR(both.values[2], std::cos(7.0), 1e-7);
  // Position 0 turns nothing.
  EXPECT_EQ(rope(makeRows(1, 2, {3, 4}), 10000, 2, 0).values,
            (std::vector<double>{3, 4}));
}

TEST(Arithmetic, AttentionSeesNoLaterPosition) {
  // One head of width 1, equal scores: each row gives the mean of the values up
  // to its own position.
  Cache keys = makeCache(1, 64, makeRows(3, 1, {0, 0, 0}));
  Cache values = makeCache(1, 64, makeRows(3, 1, {3, 5, 100}));
  Rows y = attention(makeRows(2, 1, {1, 1}), keys, values, 1, 0);
  EXPECT_DOUBLE_EQ(y.values[0], 3);
  EXPECT_DOUBLE_EQ(y.values[1], 4);
  // The same two rows as positions 1 and 2.
  y = attention(makeRows(2, 1, {1, 1}), keys, values, 1, 1);
  EXPECT_DOUBLE_EQ(y.values[0], 4);
  EXPECT_DOUBLE_EQ(y.values[1], 36);
}

TEST(Arithmetic, AttentionScalesByTheRootOfTheHeadWidth) {
  // C = 4: scores 0 and 4 ln 3 / 2, weights 1/10 and 9/10.
  double scale = std::log(3.0);
  Cache keys = makeCache(
      4, 64, makeRows(2, 4, {0, 0, 0, 0, scale, scale, scale, scale}));
  Cache values = makeCache(4, 64, makeRows(2, 4, {0, 0, 0, 0, 10, 20, 30, 40}));
  AttentionRows between;
  Rows y =
      attention(makeRows(1, 4, {1, 1, 1, 1}), keys, values, 4, 1, &between);
  EXPECT_NEAR(y.values[0], 9, 1e-6);
  EXPECT_NEAR(y.values[3], 36, 1e-5);
  ASSERT_EQ(between.softmax.width, 2);
  EXPECT_NEAR(between.scores.values[1], 2 * scale, 1e-6);
  EXPECT_NEAR(between.softmax.values[0], 0.1, 1e-7);
  EXPECT_NEAR(between.softmax.values[1], 0.9, 1e-7);
}

TEST(Arithmetic, ConsecutiveQueryHeadsShareAKeyValueHead) {
  // Six query heads of width 1 on two key/value heads: 0 0 0, then 1 1 1.
  Cache keys = makeCache(2, 64, makeRows(1, 2, {1, 1}));
  Cache values = makeCache(2, 64, makeRows(1, 2, {7, 9}));
  Rows y = attention(makeRows(1, 6, {1, 1, 1, 1, 1, 1}), keys, values, 1, 0);
  EXPECT_EQ(y.values, (std::vector<double>{7, 7, 7, 9, 9, 9}));
}

TEST(Arithmetic, AttentionOfLargeScoresStaysFinite) {
  Cache keys = makeCache(1, 64, makeRows(2, 1, {10000, -10000}));
  Cache values = makeCache(1, 64, makeRows(2, 1, {2, 4}));
  EXPECT_EQ(attention(makeRows(1, 1, {1}), keys, values, 1, 1).values[0], 2);
}

TEST(Arithmetic, SpansMergeToAttention) {
  // Four query heads of width 16 on two key/value heads, three spans.
  const int64_t positions = 1100, width = 16, part = partWidth(width);
  const auto waves = [](int64_t tokens, int64_t columns, double speed) {
    Rows rows(tokens, columns);
    for (size_t i = 0; i < rows.values.size(); ++i)
      rows.values[i] = 3 * std::sin(speed * double(i + 1));
    return rows;
  };
  for (const char *element : {"f32", "int16", "int8"}) {
    Cache keys{.width = 32,
               .capacity = 1152,
               .headWidth = width,
               .element = element,
               .keys = true,
               .values = {}};
    Cache values = keys;
    values.keys = false;
    ASSERT_TRUE(keys.append(waves(positions, 32, 0.37), 0));
    ASSERT_TRUE(values.append(waves(positions, 32, 0.73), 0));
    const Rows q = waves(1, 64, 1.1);
    for (int64_t position : {0, 511, 512, 1023, 1024, 1099}) {
      AttentionRows between;
      const Rows parts =
          attentionSpans(q, keys, values, width, position, &between);
      ASSERT_EQ(parts.width, 3 * 4 * part);
      const Rows wanted = attention(q, keys, values, width, position),
                 y = attentionMerge(parts, 4, width, position),
                 bound = attentionSpansBound(q, keys, values, width, position,
                                             between),
                 loss = attentionMergeBound(parts, 4, width, position);
      for (size_t i = 0; i < y.values.size(); ++i) {
        EXPECT_NEAR(y.values[i], wanted.values[i], 1e-12);
        EXPECT_TRUE(loss.values[i] > 0 && loss.values[i] < 1e-5);
      }
      // What is seen of a span has a bound, and weights of at most 1 each.
      for (int64_t span = 0; span < 3; ++span)
        for (int64_t head = 0; head < 4; ++head) {
          const int64_t at = (span * 4 + head) * part;
          const bool seen = span * kSpanPositions <= position;
          EXPECT_EQ(std::isfinite(bound.values[size_t(at)]), seen);
          const double sum = parts.values[size_t(at + width)];
          EXPECT_TRUE(seen ? sum > 0.5 && sum <= double(kSpanPositions)
                           : sum == 0);
        }
    }
  }
}

TEST(Arithmetic, CacheRoundsToItsElement) {
  Cache half{.width = 1, .capacity = 64, .element = "f16", .values = {}};
  // Half precision steps by 2 from 2048 on, and ties go to even.
  ASSERT_TRUE(half.append(makeRows(3, 1, {2049, 2051, 0.1}), 0));
  EXPECT_EQ(half.values[0], 2048);
  EXPECT_EQ(half.values[1], 2052);
  EXPECT_EQ(half.values[2], 0.0999755859375);
  Cache single{.width = 1, .capacity = 64, .values = {}};
  ASSERT_TRUE(single.append(makeRows(1, 1, {0.1}), 0));
  EXPECT_EQ(single.values[0], double(0.1f));
}

Cache twoHeadsOfKeys(const char *element) {
  return {.width = 32,
          .capacity = 64,
          .headWidth = 16,
          .element = element,
          .keys = true,
          .values = {}};
}

TEST(Arithmetic, Int16KeepsWordsOfEachHead) {
  Rows x(1, 32);
  x.values[0] = -8191; // scale 1
  x.values[1] = 2.5;   // to even
  x.values[15] = 3.6;
  x.values[16] = 0.8191;
  x.values[17] = 0.00026;
  Cache keys = twoHeadsOfKeys("int16");
  ASSERT_TRUE(keys.append(x, 0));
  EXPECT_EQ(keys.values[0], -8191);
  EXPECT_EQ(keys.values[1], 2);
  EXPECT_EQ(keys.values[15], 4);
  EXPECT_NEAR(keys.values[16], 0.8191, 1e-7);
  EXPECT_NEAR(keys.values[17], 0.0003, 1e-9);
  // Queries are as they are: what their words lose is a bound.
  EXPECT_EQ(attentionQueries(x, keys).values, x.values);
}

TEST(Arithmetic, Int8KeepsBytesOfEachHeadAndSlowColumnsOfKeysAsHalves) {
  // Two heads of 16: columns 4 to 7 and 12 to 15 of a key are slow.
  Rows x(1, 32);
  x.values[0] = -127; // scale 1
  x.values[1] = 2.5;  // to even
  x.values[8] = 3.6;
  x.values[4] = 2049; // has no part in the scale
  x.values[16] = 12.7;
  x.values[17] = 0.26;
  Cache keys = twoHeadsOfKeys("int8");
  Cache values = keys;
  values.keys = false;
  ASSERT_TRUE(keys.append(x, 0));
  EXPECT_EQ(keys.values[0], -127);
  EXPECT_EQ(keys.values[1], 2);
  EXPECT_EQ(keys.values[8], 4);
  EXPECT_EQ(keys.values[4], 2048);
  EXPECT_NEAR(keys.values[16], 12.7, 1e-6);
  EXPECT_NEAR(keys.values[17], 0.3, 1e-6);
  // Values have no slow columns.
  ASSERT_TRUE(values.append(x, 0));
  EXPECT_NEAR(values.values[4], 2049, 1e-3);
  EXPECT_NEAR(values.values[8], 0, 1e-6);
  // Of queries the columns are rounded that keys have in bytes; no others.
  Rows q = attentionQueries(x, keys);
  EXPECT_EQ(q.values[1], 2);
  EXPECT_EQ(q.values[4], 2049);
  // Rows that have been rounded stay as they are.
  x.values[1] = 2.5;
  ASSERT_TRUE(keys.append(x, 1, /*rounded=*/true));
  EXPECT_EQ(keys.row(1)[1], 2.5);
}

TEST(Arithmetic, CacheRefusesRowsThatDoNotFit) {
  Cache cache{.width = 1, .capacity = 2, .values = {}};
  EXPECT_FALSE(cache.append(makeRows(2, 1, {1, 2}), 1));
  EXPECT_FALSE(cache.append(makeRows(1, 1, {1}), -1));
  EXPECT_TRUE(cache.values.empty());
  EXPECT_TRUE(cache.append(makeRows(1, 1, {5}), 1));
  EXPECT_TRUE(std::isnan(cache.values[0]));
  EXPECT_EQ(cache.values[1], 5);
}

TEST(Arithmetic, SwigluIsSiluOfGateTimesUp) {
  Rows y = swiglu(makeRows(1, 3, {0, std::log(3.0), -1000}),
                  makeRows(1, 3, {5, 2, 1}));
  EXPECT_EQ(y.values[0], 0);
  EXPECT_DOUBLE_EQ(y.values[1], 2 * std::log(3.0) * 0.75);
  EXPECT_EQ(y.values[2], 0);
}

TEST(Arithmetic, QuantizeRoundsToTheGroupsSteps) {
  Rows x(1, 64);
  x.values[0] = -254; // scale 2
  x.values[1] = 5;    // 2.5 steps: to even
  x.values[2] = 7;    // 3.5 steps: to even
  x.values[3] = 1.2;
  Rows y = quantize(x);
  EXPECT_EQ(y.values[0], -254);
  EXPECT_EQ(y.values[1], 4);
  EXPECT_EQ(y.values[2], 8);
  EXPECT_EQ(y.values[3], 2);
  // A group of zeros has the scale 0.
  for (size_t i = 32; i < 64; ++i)
    EXPECT_EQ(y.values[i], 0);
}

TEST(Arithmetic, ArgmaxTakesTheLowestOfEqualIdsAndNoPadding) {
  Rows logits = makeRows(2, 4, {1, 3, 3, 9, -5, -6, -7, 0});
  EXPECT_EQ(argmax(logits, 3), (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(argmax(logits, 4), (std::vector<int32_t>{3, 3}));
}

} // namespace
} // namespace qwen::reference
