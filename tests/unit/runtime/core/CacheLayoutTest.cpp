// CacheLayoutTest.cpp - every element of a cache has a place of its own, and
// planes have the bytes that they say.
// Run: build/bin/unit_runtime_core --gtest_filter='CacheLayout*'
#include "qwen/cache_layout.h"

#include <gtest/gtest.h>
#include <set>

namespace qwen {
namespace {

constexpr int64_t kPositions = 128;

TEST(CacheLayout, EveryElementHasAPlaceOfItsOwn) {
  for (const char *element : {"f32", "f16", "int16", "int8"})
    for (bool keys : {true, false})
      for (int64_t width : {16, 48, 64, 128})
        for (const CachePlane &plane : cachePlanes(element, keys, width)) {
          std::set<int64_t> places;
          for (int64_t p = 0; p < kPositions; ++p)
            for (int64_t c = 0; c < plane.columns; ++c)
              places.insert(plane.index(p, c));
          const int64_t count = kPositions * plane.columns;
          EXPECT_EQ(int64_t(places.size()), count);
          EXPECT_EQ(*places.begin(), 0);
          EXPECT_EQ(*places.rbegin(), count - 1);
          EXPECT_EQ(plane.headBytes(kPositions), count * plane.elementBytes());
        }
}

TEST(CacheLayout, FloatsLieAsTheyAlwaysHave) {
  const CachePlane keys = cachePlanes("f16", true, 64).front(),
                   values = cachePlanes("f16", false, 64).front();
  EXPECT_EQ(keys.index(70, 3), (64 + 3) * 64 + 6);
  EXPECT_EQ(values.index(70, 3), 70 * 64 + 3);
}

TEST(CacheLayout, BytesLieInFours) {
  const CachePlane keys = cachePlanes("int8", true, 64).front(),
                   values = cachePlanes("int8", false, 64).front();
  EXPECT_EQ(keys.columns, 48);
  EXPECT_EQ(keys.index(70, 6), 64 * 48 + 64 * 4 + 6 * 4 + 2);
  EXPECT_EQ(values.index(70, 3), (17 * 64 + 3) * 4 + 2);
}

TEST(CacheLayout, WordsLieInPairs) {
  const CachePlane keys = cachePlanes("int16", true, 64).front(),
                   values = cachePlanes("int16", false, 64).front();
  EXPECT_EQ(keys.columns, 64);
  EXPECT_EQ(keys.elementBytes(), 2);
  EXPECT_EQ(keys.index(70, 7), 64 * 64 + 64 * 6 + 6 * 2 + 1);
  EXPECT_EQ(values.index(71, 3), (35 * 64 + 3) * 2 + 1);
  EXPECT_EQ(cachePlanes("int16", true, 64).size(), 2U);
  // All columns have a part in the scale, where they are.
  for (int64_t c = 0; c < 64; ++c) {
    EXPECT_FALSE(keyColumn(cacheCode("int16"), c, 64).slow);
    EXPECT_EQ(keyColumn(cacheCode("int16"), c, 64).column, c);
  }
}

TEST(CacheLayout, SumsOfProductsOfWordsHave31Bits) {
  // Whatever 512 factors are, each is rounded by at most a half.
  const CacheCode &code = *cacheCode("int16");
  EXPECT_LE(code.largest * (code.mostSum + 512 / 2), INT32_MAX);
  EXPECT_LE(code.unit(code.weightUnits, 1, 1) * 32767, 1.0001);
  EXPECT_LE(code.queryUnits, INT16_MAX);
  EXPECT_LE(code.weightUnits, INT16_MAX);
  // Equal factors: their sum decides; a large one alone: itself.
  EXPECT_EQ(code.unit(code.weightUnits, 1, 128), 128.0 / double(code.mostSum));
  EXPECT_EQ(code.unit(code.weightUnits, 1, 2), 1.0 / 32767);
}

TEST(CacheLayout, EveryColumnOfAKeyIsInOnePlane) {
  const CacheCode *code = cacheCode("int8");
  for (int64_t width : {16, 32, 48, 64, 128, 256}) {
    const std::vector<CachePlane> planes = cachePlanes("int8", true, width);
    ASSERT_EQ(planes.size(), 3U);
    std::set<int64_t> columns[2];
    for (int64_t c = 0; c < width; ++c) {
      const KeyColumn column = keyColumn(code, c, width);
      EXPECT_TRUE(columns[column.slow].insert(column.column).second);
      EXPECT_LT(column.column, planes[column.slow].columns);
      // RoPE turns the columns c and c + width / 2 together.
      EXPECT_EQ(column.slow,
                keyColumn(code, (c + width / 2) % width, width).slow);
    }
    EXPECT_EQ(planes[0].columns + planes[1].columns, width);
    EXPECT_EQ(planes[0].columns % 8, 0);
    // The last pairs are the slowest.
    EXPECT_TRUE(keyColumn(code, width / 2 - 1, width).slow);
    EXPECT_FALSE(keyColumn(code, 0, width).slow);
  }
}

} // namespace
} // namespace qwen
