// RealTokenizerTest.cpp - the vocabulary of a whole model from its GGUF,
// against the `tokenizers` package on the corpus.
#include "frontend/tokenizer/TokenizerImport.h"
#include "frontend/weights/Gguf.h"
#include "runtime/core/Tokenizer.h"
#include "tests/unit/runtime/core/tokenizer/Corpus.h"
#include "gtest/gtest.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace qwen {
namespace {

std::filesystem::path modelPath() {
  const char *cache = std::getenv("QWENC_MODEL_CACHE"),
             *home = std::getenv("HOME");
  std::filesystem::path folder =
      cache  ? std::filesystem::path(cache)
      : home ? std::filesystem::path(home) / ".cache/qwenc/models"
             : std::filesystem::path();
  return folder / "qwen2.5-coder-0.5b-instruct.gguf";
}

TEST(RealTokenizerTest, IdsOfTheCorpus) {
  if (!std::filesystem::exists(modelPath()))
    GTEST_SKIP() << modelPath() << " is not there";
  Diagnostics diags(std::cerr);
  std::optional<GgufHeader> header = readGguf(modelPath().string(), diags);
  ASSERT_TRUE(header);
  constexpr int64_t kRows = 151936;
  std::optional<std::vector<uint8_t>> table =
      importTokenizerGguf(header->metadata, kRows, diags);
  ASSERT_TRUE(table);
  Result<Tokenizer> tokenizer = Tokenizer::open(table->data(), table->size());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().text();
  EXPECT_EQ(tokenizer->size(), 151665); // padding rows are no tokens
  EXPECT_EQ(tokenizer->findAdded("<|im_end|>"), 151645);
  EXPECT_FALSE(tokenizer->isSpecial(151657)); // <tool_call>

  std::vector<std::string> strings = readStrings();
  std::vector<std::vector<int32_t>> expected = readIds("real.ids");
  ASSERT_EQ(strings.size(), expected.size());
  for (size_t i = 0; i < strings.size(); ++i) {
    std::vector<int32_t> ids;
    ASSERT_TRUE(tokenizer->encode(strings[i], true, ids));
    EXPECT_EQ(ids, expected[i]) << "string " << i << ": " << strings[i];
  }
}

} // namespace
} // namespace qwen
