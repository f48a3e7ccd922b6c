// ImportTest.cpp - one tokenizer in its several spellings gives one table. What
// is refused: tests/errors/Tokenizer*.
#include "frontend/diag/Json.h"
#include "frontend/tokenizer/TokenizerImport.h"
#include "frontend/weights/GgufMetadata.h"
#include "tests/unit/TestFolder.h"
#include "gtest/gtest.h"

#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <qwen/qwen.h>

namespace qwen {
namespace {

using Json = nlohmann::ordered_json;
using Table = std::optional<std::vector<uint8_t>>;

constexpr int64_t kRows = 384; // of the committed tokenizer, all used

class ImportTest : public testing::Test {
protected:
  ImportTest() {
    std::ifstream(std::string(QWENC_SOURCE_DIR) +
                  "/configs/tiny/tokenizer/tokenizer.json") >>
        json;
  }

  Table import(const Json &root, int64_t rows = kRows) {
    std::string path = folder.path / "tokenizer.json";
    std::ofstream(path) << root;
    return importTokenizerJson(path, rows, diags);
  }

  qwen_tokenizer_header headerOf(const Table &table) {
    qwen_tokenizer_header header = {};
    if (table)
      std::memcpy(&header, table->data(), sizeof header);
    return header;
  }

  /// What a GGUF says of the same tokenizer.
  GgufMetadata metadata() const {
    std::vector<std::string> tokens(kRows), merges;
    std::vector<int64_t> types(kRows, 1);
    for (const auto &[name, id] : json["model"]["vocab"].items())
      tokens[id.get<size_t>()] = name;
    for (const Json &added : json["added_tokens"]) {
      tokens[added["id"].get<size_t>()] = added["content"];
      types[added["id"].get<size_t>()] = added["special"].get<bool>() ? 3 : 4;
    }
    for (const Json &merge : json["model"]["merges"])
      merges.push_back(merge[0].get<std::string>() + " " +
                       merge[1].get<std::string>());
    GgufMetadata result;
    result.values = {{"tokenizer.ggml.model", std::string("gpt2")},
                     {"tokenizer.ggml.pre", std::string("qwen2")},
                     {"tokenizer.ggml.tokens", tokens},
                     {"tokenizer.ggml.token_type", types},
                     {"tokenizer.ggml.merges", merges}};
    return result;
  }

  Diagnostics diags{std::cerr};
  TestFolder folder;
  Json json;
};

TEST_F(ImportTest, MergesAsPairsOrAsText) {
  Table pairs = import(json);
  ASSERT_TRUE(pairs);
  for (Json &merge : json["model"]["merges"])
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  EXPECT_EQ(import(json), pairs);
}

TEST_F(ImportTest, GgufGivesTheSameTable) {
  Table fromJson = import(json);
  ASSERT_TRUE(fromJson);
  EXPECT_EQ(importTokenizerGguf(metadata(), kRows, diags), fromJson);
}

TEST_F(ImportTest, GgufPaddingIsNoToken) {
  Table fromJson = import(json);
  GgufMetadata padded = metadata();
  for (int i = 0; i < 16; ++i) {
    std::get<std::vector<std::string>>(padded.values["tokenizer.ggml.tokens"])
        .push_back("[PAD" + std::to_string(i) + "]");
    std::get<std::vector<int64_t>>(padded.values["tokenizer.ggml.token_type"])
        .push_back(5);
  }
  EXPECT_EQ(importTokenizerGguf(padded, kRows + 16, diags), fromJson);
  EXPECT_FALSE(
      importTokenizerGguf(padded, kRows, diags)); // more entries than rows
}

TEST_F(ImportTest, AddedTokensMayStandInTheVocabularyToo) {
  Table apart = import(json);
  for (const Json &added : json["added_tokens"])
    json["model"]["vocab"][added["content"].get<std::string>()] = added["id"];
  EXPECT_EQ(import(json), apart);
}

TEST_F(ImportTest, Normalizers) {
  EXPECT_EQ(headerOf(import(json)).normalization, 1u);
  json["normalizer"] = {{"type", "Sequence"},
                        {"normalizers", Json::array({{{"type", "NFC"}}})}};
  EXPECT_EQ(headerOf(import(json)).normalization, 1u);
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array()}};
  EXPECT_EQ(headerOf(import(json)).normalization, 0u);
  json["normalizer"] = nullptr;
  EXPECT_EQ(headerOf(import(json)).normalization, 0u);
  // Without a normaliser it does not matter which side of it an added token is
  // matched on.
  json["added_tokens"][0]["normalized"] = true;
  EXPECT_TRUE(import(json));
  json["normalizer"] = {{"type", "NFC"}};
  EXPECT_FALSE(import(json));
  json["added_tokens"][0]["normalized"] = false;
  json["normalizer"] = {{"type", "NFKC"}};
  EXPECT_FALSE(import(json));
}

// Each of these changes ids, so none may pass in silence.
TEST_F(ImportTest, WhatChangesIdsIsRefused) {
  ASSERT_TRUE(import(json));
  const std::vector<std::pair<const char *, Json>> changes = {
      {"/model/type", "Unigram"},
      {"/model/dropout", 0.1},
      {"/model/ignore_merges", true},
      {"/model/continuing_subword_prefix", "##"},
      {"/model/end_of_word_suffix", "</w>"},
      {"/model/vocab", Json::array()},
      {"/model/vocab/a", 1.5},
      {"/model/merges", Json::object()},
      {"/model/merges/0", 1},
      {"/added_tokens", Json::object()},
      {"/added_tokens/0", 1},
      {"/added_tokens/0/id", "1"},
      {"/added_tokens/0/id", -1},
      {"/added_tokens/0/content", 1},
      {"/added_tokens/0/lstrip", true},
      {"/added_tokens/0/rstrip", true},
      {"/added_tokens/0/single_word", true},
      {"/pre_tokenizer", nullptr},
      {"/pre_tokenizer/type", "ByteLevel"},
      {"/pre_tokenizer/pretokenizers", Json::array()},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\p{N}{1,3}| "},
      {"/pre_tokenizer/pretokenizers/0/pattern", {{"String", " "}}},
      {"/pre_tokenizer/pretokenizers/0/behavior", "Removed"},
      {"/pre_tokenizer/pretokenizers/0/invert", true},
      {"/pre_tokenizer/pretokenizers/1/add_prefix_space", true},
      {"/pre_tokenizer/pretokenizers/1/use_regex", true},
      {"/decoder", nullptr},
      {"/decoder/type", "WordPiece"},
      {"/post_processor", {{"type", "TemplateProcessing"}}},
  };
  for (const auto &[where, value] : changes) {
    Json changed = json;
    changed[Json::json_pointer(where)] = value;
    int64_t before = diags.errorCount();
    EXPECT_FALSE(import(changed)) << where;
    EXPECT_GT(diags.errorCount(), before) << where;
  }
}

} // namespace
} // namespace qwen
