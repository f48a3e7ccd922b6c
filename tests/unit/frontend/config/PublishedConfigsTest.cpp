// ninja unit_frontend_config && bin/unit_frontend_config
// --gtest_filter='Published*'
#include "frontend/config/CheckSpec.h"
#include "frontend/config/ReadConfig.h"

#include "gtest/gtest.h"

#include <filesystem>
#include <set>
#include <sstream>

namespace qwen {
namespace {

struct Published {
  const char *name;
  const char *architecture;
  int64_t width, ffn, layers, heads, keyValueHeads, headWidth, vocabulary;
  bool tied;
  int64_t positions;
  double theta;
  double billions; // parameters as published, to two digits
};

// Source: the model cards and config.json files of the Qwen organisation.
constexpr Published kPublished[] = {
    {"qwen2-0.5b", "qwen2", 896, 4864, 24, 14, 2, 64, 151936, true, 32768, 1e6,
     0.49},
    {"qwen2-1.5b", "qwen2", 1536, 8960, 28, 12, 2, 128, 151936, true, 32768,
     1e6, 1.54},
    {"qwen2-7b", "qwen2", 3584, 18944, 28, 28, 4, 128, 152064, false, 32768,
     1e6, 7.62},
    {"qwen2.5-0.5b", "qwen2", 896, 4864, 24, 14, 2, 64, 151936, true, 32768,
     1e6, 0.49},
    {"qwen2.5-1.5b", "qwen2", 1536, 8960, 28, 12, 2, 128, 151936, true, 32768,
     1e6, 1.54},
    {"qwen2.5-3b", "qwen2", 2048, 11008, 36, 16, 2, 128, 151936, true, 32768,
     1e6, 3.09},
    {"qwen2.5-7b", "qwen2", 3584, 18944, 28, 28, 4, 128, 152064, false, 32768,
     1e6, 7.62},
    {"qwen2.5-14b", "qwen2", 5120, 13824, 48, 40, 8, 128, 152064, false, 32768,
     1e6, 14.77},
    {"qwen2.5-32b", "qwen2", 5120, 27648, 64, 40, 8, 128, 152064, false, 32768,
     1e6, 32.76},
    {"qwen2.5-72b", "qwen2", 8192, 29568, 80, 64, 8, 128, 152064, false, 32768,
     1e6, 72.71},
    {"qwen3-0.6b", "qwen3", 1024, 3072, 28, 16, 8, 128, 151936, true, 40960,
     1e6, 0.60},
    {"qwen3-1.7b", "qwen3", 2048, 6144, 28, 16, 8, 128, 151936, true, 40960,
     1e6, 1.72},
    {"qwen3-4b", "qwen3", 2560, 9728, 36, 32, 8, 128, 151936, true, 40960, 1e6,
     4.02},
    {"qwen3-4b-2507", "qwen3", 2560, 9728, 36, 32, 8, 128, 151936, true, 262144,
     5e6, 4.02},
    {"qwen3-8b", "qwen3", 4096, 12288, 36, 32, 8, 128, 151936, false, 40960,
     1e6, 8.19},
    {"qwen3-14b", "qwen3", 5120, 17408, 40, 40, 8, 128, 151936, false, 40960,
     1e6, 14.77},
    {"qwen3-32b", "qwen3", 5120, 25600, 64, 64, 8, 128, 151936, false, 40960,
     1e6, 32.76},
};

constexpr const char *kFolder = QWENC_SOURCE_DIR "/configs/models/";

class PublishedConfigTest : public testing::TestWithParam<Published> {};

TEST_P(PublishedConfigTest, readsIntoThePublishedNumbers) {
  const Published &expected = GetParam();
  std::ostringstream messages;
  Diagnostics diags(messages);
  std::string path = std::string(kFolder) + expected.name + "/config.json";
  std::optional<ModelSpec> spec = readConfig(path, {}, diags);
  ASSERT_TRUE(spec) << messages.str();
  EXPECT_EQ(spec->architecture, expected.architecture);
  EXPECT_EQ(spec->hiddenSize, expected.width);
  EXPECT_EQ(spec->ffnSize, expected.ffn);
  EXPECT_EQ(spec->layers, expected.layers);
  EXPECT_EQ(spec->queryHeads, expected.heads);
  EXPECT_EQ(spec->keyValueHeads, expected.keyValueHeads);
  EXPECT_EQ(spec->headWidth, expected.headWidth);
  EXPECT_EQ(spec->vocabSize, expected.vocabulary);
  EXPECT_EQ(spec->tiedEmbedding, expected.tied);
  EXPECT_EQ(spec->maxPositions, expected.positions);
  EXPECT_EQ(spec->ropeTheta, expected.theta);
  EXPECT_EQ(spec->rmsNormEps, 1e-6);
  bool isQwen2 = spec->architecture == "qwen2";
  EXPECT_EQ(spec->qkvBias, isQwen2);
  EXPECT_EQ(spec->qkNorm, !isQwen2);
  EXPECT_NEAR(double(countParameters(*spec)) / 1e9, expected.billions, 0.006);
}

INSTANTIATE_TEST_SUITE_P(All, PublishedConfigTest,
                         testing::ValuesIn(kPublished), [](const auto &info) {
                           std::string name = info.param.name;
                           for (char &c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c)))
                               c = '_';
                           return name;
                         });

TEST(PublishedConfigsTest, theTableHasEveryFolder) {
  std::set<std::string> folders, rows;
  for (const auto &entry : std::filesystem::directory_iterator(kFolder))
    folders.insert(entry.path().filename().string());
  for (const Published &row : kPublished)
    rows.insert(row.name);
  EXPECT_EQ(folders, rows);
}

} // namespace
} // namespace qwen
