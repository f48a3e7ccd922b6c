// ninja unit_frontend_config && bin/unit_frontend_config
// --gtest_filter='Generation*'
#include "frontend/config/GenerationConfig.h"

#include "tests/unit/TestFolder.h"

#include "gtest/gtest.h"

#include <fstream>
#include <sstream>

namespace qwen {
namespace {

class GenerationConfigTest : public testing::Test {
protected:
  std::optional<GenerationConfig> read(const std::string &text) {
    std::string path = (folder.path / "generation_config.json").string();
    std::ofstream(path) << text;
    return readGenerationConfig(path, diags);
  }

  TestFolder folder;
  std::ostringstream messages;
  Diagnostics diags{messages};
};

TEST_F(GenerationConfigTest, readsThePublishedKeys) {
  std::optional<GenerationConfig> config = read(R"({
    "bos_token_id": 151643, "pad_token_id": 151643, "do_sample": true,
    "eos_token_id": [151645, 151643], "repetition_penalty": 1.1,
    "temperature": 0.7, "top_p": 0.8, "top_k": 20,
    "transformers_version": "4.37.0"})");
  ASSERT_TRUE(config) << messages.str();
  EXPECT_EQ(config->eosTokenIds, (std::vector<int64_t>{151645, 151643}));
  EXPECT_EQ(config->bosTokenId, 151643);
  EXPECT_EQ(config->doSample, true);
  EXPECT_EQ(config->repetitionPenalty, 1.1);
  EXPECT_EQ(config->temperature, 0.7);
  EXPECT_EQ(config->topP, 0.8);
  EXPECT_EQ(config->topK, 20);
  EXPECT_FALSE(config->minP);
}

TEST_F(GenerationConfigTest, oneStopTokenMayStandAlone) {
  EXPECT_EQ(read(R"({"eos_token_id": 7})")->eosTokenIds,
            std::vector<int64_t>{7});
  EXPECT_TRUE(read(R"({"eos_token_id": null})")->eosTokenIds.empty());
}

TEST_F(GenerationConfigTest, anAbsentFileIsEmpty) {
  std::optional<GenerationConfig> config =
      readGenerationConfig((folder.path / "absent.json").string(), diags);
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->eosTokenIds.empty());
}

TEST_F(GenerationConfigTest, valuesOutOfRangeAreRefused) {
  for (const char *text :
       {R"({"top_p": 1.5})", R"({"temperature": -1})", R"({"top_k": -1})",
        R"({"repetition_penalty": 0})", R"({"eos_token_id": -1})",
        R"({"eos_token_id": ["x"]})", R"({"bos_token_id": 4294967296})",
        R"({"do_sample": 1})", "[]"})
    EXPECT_FALSE(read(text)) << text;
}

} // namespace
} // namespace qwen
