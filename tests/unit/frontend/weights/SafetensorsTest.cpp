// ninja unit_frontend_weights && bin/unit_frontend_weights
// --gtest_filter='Safetensors*'
#include "tests/unit/frontend/weights/BinaryWriter.h"

#include "gtest/gtest.h"

#include <random>

namespace qwen {
namespace {

constexpr const char *kHeader =
    R"({"__metadata__":{"format":"pt"},)"
    R"("a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
    R"("b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},)"
    R"("c":{"dtype":"F16","shape":[],"data_offsets":[20,22]}})";

std::string file(const std::string &header, size_t dataBytes) {
  return BinaryWriter().text(header).zeros(dataBytes).data;
}

class SafetensorsTest : public testing::Test {
protected:
  std::optional<TensorIndex> read(const std::string &data) {
    messages.str("");
    std::istringstream in(data);
    return parseSafetensors(in, int64_t(data.size()), "m", diags);
  }

  std::ostringstream messages;
  Diagnostics diags{messages};
};

TEST_F(SafetensorsTest, namesShapesTypesAndRanges) {
  std::optional<TensorIndex> index = read(file(kHeader, 22));
  ASSERT_TRUE(index) << messages.str();
  ASSERT_EQ(index->size(), 3u);
  const StoredTensor &a = index->at("a");
  EXPECT_EQ(a.storedType, "bf16");
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(a.sizeBytes, 12);
  int64_t start = 8 + int64_t(std::string(kHeader).size());
  EXPECT_EQ(a.offsetBytes, start);
  EXPECT_EQ(index->at("b").offsetBytes, start + 12);
  EXPECT_TRUE(index->at("c").shape.empty());
}

TEST_F(SafetensorsTest, everyTruncationIsRefused) {
  std::string data = file(kHeader, 22);
  for (size_t size = 0; size < data.size(); ++size)
    EXPECT_FALSE(read(data.substr(0, size))) << size;
}

TEST_F(SafetensorsTest, noDamagedByteCrashes) {
  std::string data = file(kHeader, 22);
  // NOLINTNEXTLINE(bugprone-random-generator-seed): the same in every run
  std::mt19937 random(1);
  int64_t refused = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string damaged = data;
    for (uint32_t i = random() % 4 + 1; i-- > 0;)
      damaged[random() % (data.size() - 22)] = char(random());
    refused += !read(damaged);
  }
  EXPECT_GT(refused, 10000);
}

TEST_F(SafetensorsTest, badEntriesAreRefused) {
  for (
      const char *entry : {
          R"({"dtype":"F32","shape":[2]})",
          R"({"dtype":"F32","shape":[2],"data_offsets":[0]})",
          R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})",
          R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})",
          R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]})",
          R"({"dtype":"I8","shape":[8],"data_offsets":[0,8]})",
          R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})",
          R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})",
          R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})",
          R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})",
          R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})",
          "3",
      })
    EXPECT_FALSE(read(file(std::string("{\"t\":") + entry + "}", 8))) << entry;
}

} // namespace
} // namespace qwen
