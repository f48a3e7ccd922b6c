// build/bin/unit_codegen_formats --gtest_filter='Formats.*'
//
// FormatsTest.cpp - packing keeps the stored numbers to the bit, and says what
// it cannot hold.
#include "tests/unit/codegen/formats/PackedWeight.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <set>

namespace qwen::codegen {
namespace {

uint32_t bits(float value) { return std::bit_cast<uint32_t>(value); }

TEST(Formats, AreFoundByName) {
  std::set<std::string> names;
  for (const Format &format : formats()) {
    EXPECT_EQ(findFormat(format.name), &format);
    names.insert(format.name);
  }
  EXPECT_EQ(names.size(), formats().size());
  EXPECT_EQ(findFormat("q9"), nullptr);
}

TEST(Formats, PackedValuesAreThoseOfTheReference) {
  const std::vector<Fixture> fixtures = readFixtures();
  std::set<std::pair<std::string, std::string>> seen;
  for (const Fixture &fixture : fixtures) {
    SCOPED_TRACE(fixture.storedType + " in " + fixture.format);
    const Format *format = findFormat(fixture.format);
    ASSERT_NE(format, nullptr);
    seen.emplace(fixture.format, fixture.storedType);
    PackedWeight packed(*format, fixture.storedType, fixture.stored.data(),
                        fixture.rows, fixture.inner);
    ASSERT_EQ(packed.bad, -1);
    for (int64_t i = 0; i < fixture.rows * fixture.inner; ++i)
      ASSERT_EQ(bits(packed.value(i / fixture.inner, i % fixture.inner)),
                bits(fixture.values[size_t(i)]))
          << "element " << i / fixture.inner << ", " << i % fixture.inner;
  }
  for (const Format &format : formats())
    for (const char *type : format.storedTypes)
      EXPECT_TRUE(seen.contains({format.name, type}))
          << "no fixture of " << type << " in " << format.name;
}

TEST(Formats, PaddingRowsAreZero) {
  std::mt19937 random(1);
  for (const Format &format : formats()) {
    SCOPED_TRACE(format.name);
    const char *type = format.storedTypes[0];
    const int64_t inner = 2 * format.innerMultiple;
    const std::vector<uint8_t> rows = randomRows(type, 18, inner, random);
    PackedWeight packed(format, type, rows.data(), 18, inner);
    ASSERT_EQ(packed.bad, -1);
    for (int64_t n = 18; n < 32; ++n)
      for (int64_t k = 0; k < inner; ++k)
        ASSERT_EQ(packed.value(n, k), 0.0f) << n << ", " << k;
  }
}

TEST(Formats, EveryByteOfEveryPlaneIsWritten) {
  std::mt19937 random(2);
  for (const Format &format : formats()) {
    SCOPED_TRACE(format.name);
    const char *type = format.storedTypes[0];
    const int64_t inner = 2 * format.innerMultiple;
    const StoredType &stored = *findStoredType(type);
    const std::vector<uint8_t> rows(
        size_t(16 * inner / stored.blockElements * stored.blockBytes), 0);
    PackedWeight packed(format, type, rows.data(), 16, inner);
    const PackedPanel panel = packed.panel(0);
    for (size_t i = 0; i < panel.size(); ++i)
      for (int64_t at = 0; at < inner / format.planes[i].group; ++at)
        for (int64_t j = 0; j < format.planes[i].blockBytes; ++j)
          ASSERT_NE(panel[i].at(at)[j], 0xa5) << format.planes[i].name;
  }
}

TEST(Formats, PlanesThatJoinShareAGroupAndAStream) {
  for (const Format &format : formats()) {
    SCOPED_TRACE(format.name);
    EXPECT_FALSE(format.planes.front().joins);
    for (size_t i = 1; i < format.planes.size(); ++i) {
      const Plane &plane = format.planes[i];
      const BlockPlace place = blockPlace(format, i),
                       before = blockPlace(format, i - 1);
      if (!plane.joins) {
        EXPECT_EQ(place.startBytes, 0);
        continue;
      }
      EXPECT_EQ(plane.group, format.planes[i - 1].group);
      EXPECT_EQ(place.pitchBytes, before.pitchBytes);
      EXPECT_EQ(place.startBytes,
                before.startBytes + format.planes[i - 1].blockBytes);
    }
    // What is read without the rest shares no stream with it.
    if (format.coarse)
      EXPECT_FALSE(format.planes[format.coarse()->planes.size()].joins);
  }
}

TEST(Formats, BlocksOfAStreamLieSideBySide) {
  const Format &q5g32 = *findFormat("q5g32");
  // h of 64 bytes, q of 256, s of 32; three panels of four blocks.
  EXPECT_EQ(weightBytes(q5g32, 35, 128), 3 * 4 * 352);
  EXPECT_EQ(planeStart(q5g32, 1, 35, 128), 64);
  EXPECT_EQ(planeStart(q5g32, 2, 35, 128), 320);
  std::vector<uint8_t> bytes(3 * 4 * 352);
  const auto blocks = panelBlocks(q5g32, bytes.data(), 35, 128, 2);
  EXPECT_EQ(blocks[2].at(3) - bytes.data(), (2 * 4 + 3) * 352 + 320);
  // Streams start at multiples of 64: q4k's second one behind 3 * 16 * 288.
  const Format &q4k = *findFormat("q4k");
  EXPECT_EQ(planeStart(q4k, 3, 35, 512), 3 * 16 * 288);
  EXPECT_EQ(planeStart(q4k, 4, 35, 512), 3 * 16 * 288 + 32);
  EXPECT_EQ(weightBytes(q4k, 35, 512), 3 * (16 * 288 + 2 * 64));
}

TEST(Formats, NonFiniteFloatsAreRefused) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const char *name : {"f32", "q8g32", "q5g32", "q4g32"})
    for (float wrong : {infinity, -infinity, std::nanf("")}) {
      std::vector<float> rows(17 * 64, 1.0f);
      rows[16 * 64 + 45] = wrong;
      PackedWeight packed(*findFormat(name), "f32",
                          reinterpret_cast<const uint8_t *>(rows.data()), 17,
                          64);
      EXPECT_EQ(packed.bad, 16 * 64 + 45) << name << " " << wrong;
    }
  for (const char *name : {"f16", "bf16"})
    for (uint16_t wrong : {uint16_t(0x7f80), uint16_t(0xfff1)}) {
      std::vector<uint16_t> rows(17 * 64, 0x3c00);
      rows[3 * 64 + 7] = rows[3 * 64 + 9] = wrong;
      PackedWeight packed(*findFormat(name), name,
                          reinterpret_cast<const uint8_t *>(rows.data()), 17,
                          64);
      EXPECT_EQ(packed.bad, 3 * 64 + 7) << name << " " << wrong;
    }
}

TEST(Formats, NonFiniteScalesAreRefused) {
  std::mt19937 random(3);
  const std::pair<const char *, int64_t> scales[] = {
      {"q8_0", 0}, {"q4_0", 0}, {"q5_0", 0}, {"q4_k", 0},
      {"q4_k", 2}, {"q5_k", 0}, {"q5_k", 2}, {"q6_k", 208}};
  for (const auto &[type, offset] : scales) {
    SCOPED_TRACE(type);
    const StoredType &stored = *findStoredType(type);
    const int64_t inner = 3 * stored.blockElements;
    std::vector<uint8_t> rows = randomRows(type, 17, inner, random);
    store(&rows[size_t((5 * 3 + 2) * stored.blockBytes + offset)],
          uint16_t(0xfc00));
    int taking = 0;
    for (const Format &format : formats())
      for (const char *taken : format.storedTypes)
        if (std::string_view(taken) == type) {
          ++taking;
          EXPECT_EQ(PackedWeight(format, type, rows.data(), 17, inner).bad,
                    5 * inner + 2 * stored.blockElements);
        }
    EXPECT_GT(taking, 0);
  }
}

TEST(Formats, AGroupTooLargeForAnF16ScaleIsRefused) {
  std::vector<float> rows(16 * 64, 1.0f);
  rows[2 * 64 + 40] = -1e30f;
  for (const char *name : {"q8g32", "q5g32", "q4g32"}) {
    PackedWeight packed(*findFormat(name), "f32",
                        reinterpret_cast<const uint8_t *>(rows.data()), 16, 64);
    EXPECT_EQ(packed.bad, 2 * 64 + 32) << name;
  }
}

/// The largest size of a group of 32.
float largestOf(const float *group) {
  float largest = 0;
  for (int64_t k = 0; k < 32; ++k)
    largest = std::max(largest, std::fabs(group[k]));
  return largest;
}

TEST(Formats, QuantisingIsWithinHalfAScale) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  std::vector<float> rows(16 * 896);
  for (float &value : rows)
    value = 0.05f * normal(random);
  PackedWeight packed(*findFormat("q8g32"), "f32",
                      reinterpret_cast<const uint8_t *>(rows.data()), 16, 896);
  float worst = 0;
  for (int64_t n = 0; n < 16; ++n)
    for (int64_t group = 0; group < 896; group += 32) {
      const float largest = largestOf(&rows[size_t(n * 896 + group)]);
      for (int64_t k = group; k < group + 32; ++k)
        worst = std::max(
            worst, std::fabs(packed.value(n, k) - rows[size_t(n * 896 + k)]) /
                       (largest / 127));
    }
  // Half a step, and the f16 scale's own rounding of 2^-11 over up to 127
  // steps.
  EXPECT_LE(worst, 0.5f + 127 * 0x1p-11f);
  EXPECT_GT(worst, 0.4f);
}

// ggml's q4_0 and q5_0 take the scale of the largest value as it is; their
// error is what rounding without a search leaves.
double roundedError(const std::vector<float> &rows, double zeroPoint) {
  double error = 0;
  for (size_t group = 0; group < rows.size(); group += 32) {
    double largest = 0;
    for (size_t i = group; i < group + 32; ++i)
      if (std::fabs(rows[i]) > std::fabs(largest))
        largest = rows[i];
    if (largest == 0)
      continue;
    const double scale = largest / -zeroPoint;
    for (size_t i = group; i < group + 32; ++i) {
      const double quant =
          std::clamp(std::round(rows[i] / scale), -zeroPoint, zeroPoint - 1);
      error += std::pow(rows[i] - scale * quant, 2);
    }
  }
  return error;
}

TEST(Formats, QuantisingLosesLessThanRoundingAndNoMoreThanTheFormatSays) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> rows(16 * 896);
  for (float &value : rows)
    value = 0.05f * normal(random);
  // Groups of one value, of equal values, of opposite ones, of zeros and tiny
  // values.
  for (size_t i = 0; i < 32; ++i) {
    rows[i] = i == 7 ? 0.3f : 0;
    rows[32 + i] = -0.2f;
    rows[64 + i] = i % 2 ? 0.1f : -0.1f;
    rows[96 + i] = 0;
    rows[128 + i] = 1e-9f;
  }
  for (const auto &[name, zeroPoint] :
       {std::pair{"q4g32", 8.0}, {"q5g32", 16.0}}) {
    SCOPED_TRACE(name);
    const Format &format = *findFormat(name);
    PackedWeight packed(
        format, "f32", reinterpret_cast<const uint8_t *>(rows.data()), 16, 896);
    ASSERT_EQ(packed.bad, -1);
    double error = 0;
    for (int64_t n = 0; n < 16; ++n)
      for (int64_t group = 0; group < 896; group += 32) {
        const float largest = largestOf(&rows[size_t(n * 896 + group)]);
        for (int64_t k = group; k < group + 32; ++k) {
          const double lost = packed.value(n, k) - rows[size_t(n * 896 + k)];
          error += lost * lost;
          EXPECT_LE(std::fabs(lost),
                    largest * format.lossOfLargest + 128 * 0x1p-25)
              << n << ", " << k;
        }
      }
    EXPECT_LT(error, 0.95 * roundedError(rows, zeroPoint));
    EXPECT_GT(error, 0.3 * roundedError(rows, zeroPoint));
  }
}

TEST(Blocks, F16IsAsTheCompilersOwn) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float expected = float(std::bit_cast<_Float16>(uint16_t(half)));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(f16ToF32(uint16_t(half))));
      continue;
    }
    ASSERT_EQ(bits(f16ToF32(uint16_t(half))), bits(expected)) << half;
    ASSERT_EQ(f32ToF16(expected), half);
    // Just below, at, and just above the middle to the next f16.
    const float next = f16ToF32(uint16_t(half + 1));
    if (!isFinite(expected) || !isFinite(next))
      continue;
    const float middle = (expected + next) / 2;
    for (float value : {std::nextafter(middle, expected), middle,
                        std::nextafter(middle, next)})
      ASSERT_EQ(f32ToF16(value), std::bit_cast<uint16_t>(_Float16(value)))
          << value;
  }
  std::mt19937 random(5);
  for (int i = 0; i < 1000000; ++i) {
    const float value = std::bit_cast<float>(uint32_t(random()));
    if (std::isnan(value))
      continue;
    ASSERT_EQ(f32ToF16(value), std::bit_cast<uint16_t>(_Float16(value)))
        << value;
  }
}

} // namespace
} // namespace qwen::codegen
