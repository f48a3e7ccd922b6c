// ninja unit_frontend_weights && bin/unit_frontend_weights
// --gtest_filter='Dequantize*'
#include "frontend/weights/Dequantize.h"

#include "tests/unit/TestFolder.h"

#include "nlohmann/json.hpp"
#include "gtest/gtest.h"

#include <bit>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace qwen {
namespace {

std::vector<uint8_t> unhex(const nlohmann::json &lines) {
  std::vector<uint8_t> bytes;
  for (const auto &line : lines) {
    auto text = line.get<std::string>();
    for (size_t i = 0; i + 1 < text.size(); i += 2)
      bytes.push_back(uint8_t(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

nlohmann::json fixtures() {
  std::ifstream in(QWENC_SOURCE_DIR
                   "/tests/unit/frontend/weights/stored_types.json");
  return nlohmann::json::parse(in).at("types");
}

uint32_t floatBits(const std::vector<uint8_t> &bytes, size_t i) {
  return bytes[4 * i] | bytes[4 * i + 1] << 8 | bytes[4 * i + 2] << 16 |
         uint32_t(bytes[4 * i + 3]) << 24;
}

TEST(DequantizeTest, everyStoredTypeHasAFixtureAndItsBlockSize) {
  nlohmann::json types = fixtures();
  EXPECT_EQ(types.size(), storedTypes().size());
  for (const StoredType &type : storedTypes()) {
    ASSERT_TRUE(types.contains(type.name)) << type.name;
    EXPECT_EQ(types[type.name]["elems_per_block"], type.elemsPerBlock);
    EXPECT_EQ(types[type.name]["bytes_per_block"], type.bytesPerBlock);
  }
}

TEST(DequantizeTest, valuesEqualTheReferenceToTheBit) {
  for (const auto &[name, fixture] : fixtures().items()) {
    std::vector<uint8_t> bytes = unhex(fixture["bytes"]);
    std::vector<uint8_t> expected = unhex(fixture["values"]);
    std::vector<double> values(expected.size() / 4);
    ASSERT_GT(values.size(), 0u);
    ASSERT_TRUE(dequantizeRow(name, bytes.data(), int64_t(values.size()),
                              values.data()))
        << name;
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(std::bit_cast<uint32_t>(float(values[i])),
                floatBits(expected, i))
          << name << " element " << i;
      EXPECT_EQ(double(float(values[i])), values[i]);
    }
  }
}

TEST(DequantizeTest, partOfABlockAndUnknownTypesAreRefused) {
  uint8_t bytes[256] = {};
  double out[256];
  EXPECT_FALSE(dequantizeRow("q8_0", bytes, 31, out));
  EXPECT_FALSE(dequantizeRow("q4_k", bytes, 32, out));
  EXPECT_FALSE(dequantizeRow("q3_k", bytes, 256, out));
  EXPECT_FALSE(dequantizeRow("f32", bytes, -1, out));
  EXPECT_TRUE(dequantizeRow("f32", bytes, 0, out));
}

TEST(StoredTypeTest, byteCountsRefuseOverflowAndBrokenRows) {
  const StoredType &q8 = *findStoredType("q8_0");
  EXPECT_EQ(storedBytes(q8, {3, 64}), 3 * 2 * 34);
  EXPECT_EQ(storedBytes(q8, {32, 3}), std::nullopt);
  EXPECT_EQ(storedBytes(q8, {INT64_MAX, 32}), std::nullopt);
  EXPECT_EQ(storedBytes(*findStoredType("f32"), {INT64_MAX / 2}), std::nullopt);
  EXPECT_EQ(storedBytes(*findStoredType("f32"), {-1}), std::nullopt);
  EXPECT_EQ(storedBytes(*findStoredType("bf16"), {}), 2);
}

class ReadRowsTest : public testing::Test {
protected:
  void SetUp() override {
    path = (folder.path / "rows.bin").string();
    std::ofstream out(path, std::ios::binary);
    out.write("head", 4);
    for (int16_t i = 0; i < 12; ++i) {
      uint16_t bits = uint16_t(std::bit_cast<uint32_t>(float(i)) >> 16);
      out.write(reinterpret_cast<const char *>(&bits), 2);
    }
    tensor = {.name = "w",
              .fileName = "w",
              .shape = {3, 4},
              .storedType = "bf16",
              .path = path,
              .offsetBytes = 4,
              .sizeBytes = 24};
  }

  TestFolder folder;
  std::string path;
  StoredTensor tensor;
  std::ostringstream messages;
  Diagnostics diags{messages};
};

TEST_F(ReadRowsTest, readsTheRowsAskedFor) {
  std::vector<double> rows;
  ASSERT_TRUE(readTensorRows(tensor, 1, 2, rows, diags));
  EXPECT_EQ(rows, (std::vector<double>{4, 5, 6, 7, 8, 9, 10, 11}));
  ASSERT_TRUE(readTensorRows(tensor, 3, 0, rows, diags));
  EXPECT_TRUE(rows.empty());
}

TEST_F(ReadRowsTest, aVectorIsOneRow) {
  tensor.shape = {12};
  std::vector<double> rows;
  ASSERT_TRUE(readTensorRows(tensor, 0, 1, rows, diags));
  EXPECT_EQ(rows.size(), 12u);
  EXPECT_EQ(rows[11], 11);
}

TEST_F(ReadRowsTest, rowsOutsideTheTensorAreReported) {
  std::vector<double> rows;
  EXPECT_FALSE(readTensorRows(tensor, 2, 2, rows, diags));
  EXPECT_EQ(messages.str(),
            path + ": error: tensor `w` cannot be read; got 0 bytes of 2 at "
                   "byte 2\n");
}

TEST_F(ReadRowsTest, aFileThatShrankIsReported) {
  std::filesystem::resize_file(path, 10);
  std::vector<double> rows;
  EXPECT_FALSE(readTensorRows(tensor, 0, 3, rows, diags));
  EXPECT_EQ(messages.str(),
            path + ": error: tensor `w` cannot be read; got 6 bytes of 24 "
                   "at byte 4\n");
}

TEST_F(ReadRowsTest, anUnknownTypeIsReported) {
  tensor.storedType = "q3_k";
  std::vector<double> rows;
  EXPECT_FALSE(readTensorRows(tensor, 0, 3, rows, diags));
  EXPECT_EQ(messages.str(),
            path + ": error: tensor `w` is q3_k; supported: f32, f16, bf16, "
                   "q8_0, q4_0, q5_0, q4_k, q5_k, q6_k\n");
}

} // namespace
} // namespace qwen
