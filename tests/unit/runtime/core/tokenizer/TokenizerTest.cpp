// TokenizerTest.cpp - ids and texts against the `tokenizers` package on the
// corpus; work linear in the text.
#include "runtime/core/Tokenizer.h"

#include "runtime/core/Normalizer.h"
#include "runtime/core/Utf8.h"
#include "tests/unit/runtime/core/tokenizer/Corpus.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <map>
#include <random>

namespace qwen {
namespace {

class TokenizerTest : public testing::Test {
protected:
  TokenizerTest()
      : table(smallTable()),
        opened(Tokenizer::open(table.data(), table.size())) {}

  const Tokenizer &tokenizer() const { return *opened; }
  std::vector<int32_t> encode(std::string_view text,
                              bool parseSpecial = true) const {
    std::vector<int32_t> ids;
    EXPECT_TRUE(tokenizer().encode(text, parseSpecial, ids));
    return ids;
  }

  std::vector<uint8_t> table;
  Result<Tokenizer> opened;
};

TEST_F(TokenizerTest, IdsOfTheCorpus) {
  std::vector<std::string> strings = readStrings();
  for (auto [file, parseSpecial] :
       {std::pair("small.ids", true), std::pair("text.ids", false)}) {
    std::vector<std::vector<int32_t>> expected = readIds(file);
    ASSERT_EQ(strings.size(), expected.size());
    for (size_t i = 0; i < strings.size(); ++i)
      EXPECT_EQ(encode(strings[i], parseSpecial), expected[i])
          << file << ", string " << i << ": " << strings[i];
  }
}

// The ids are the package's, so the text they decode to is its NFC, not ours.
TEST_F(TokenizerTest, DecodingGivesNfc) {
  std::vector<std::string> strings = readStrings();
  std::vector<std::vector<int32_t>> ids = readIds("text.ids");
  ASSERT_EQ(strings.size(), ids.size());
  int64_t checked = 0;
  for (size_t i = 0; i < strings.size(); ++i) {
    if (strings[i].find("tool_call>") !=
        std::string::npos) // added text cuts the stretch that is normalised
      continue;
    EXPECT_EQ(tokenizer().decode(ids[i], false),
              normalizeNfc(replaceBrokenUtf8(strings[i])))
        << "string " << i;
    ++checked;
  }
  EXPECT_GE(checked, 2000);
}

TEST_F(TokenizerTest, SpecialTokens) {
  std::string text = "a<|im_end|>b<tool_call>";
  std::vector<int32_t> parsed = encode(text), plain = encode(text, false);
  int32_t end = *tokenizer().findAdded("<|im_end|>"),
          call = *tokenizer().findAdded("<tool_call>");
  EXPECT_TRUE(tokenizer().isSpecial(end));
  EXPECT_FALSE(tokenizer().isSpecial(call));
  EXPECT_EQ(std::count(parsed.begin(), parsed.end(), end), 1);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), end), 0);
  EXPECT_EQ(parsed.back(), call);
  EXPECT_EQ(plain.back(), call);
  EXPECT_EQ(tokenizer().decode(parsed, false), text);
  EXPECT_EQ(tokenizer().decode(parsed, true), "ab<tool_call>");
  EXPECT_EQ(tokenizer().decode(plain, true), text);
  EXPECT_FALSE(tokenizer().findAdded("a"));
}

TEST_F(TokenizerTest, IdsOutsideTheVocabularyHaveNoText) {
  int32_t size = tokenizer().size();
  for (int32_t id : {-1, INT32_MIN, size, size + 1, INT32_MAX}) {
    EXPECT_FALSE(tokenizer().isToken(id));
    EXPECT_FALSE(tokenizer().isSpecial(id));
    EXPECT_EQ(tokenizer().bytes(id), "");
  }
  EXPECT_TRUE(tokenizer().isToken(size - 1));
  EXPECT_EQ(tokenizer().decode({-1, size, INT32_MAX}, false), "");
}

// Without a bound on the work of one word, each of these takes minutes.
TEST_F(TokenizerTest, WorkIsLinear) {
  constexpr int64_t kBytes = 1 << 18;
  // A byte starts with at most one pair, and a merge, of which there are fewer
  // than bytes, looks up two more.
  constexpr int64_t kLookupsPerByte = 3;
  for (std::string unit :
       {"a", "ab", "abcdefghij", " ", "\n", "!", "1", "'s", "é", "中文", "<",
        "<|im_start|>", "\xff", "e\u0301", "a\u0316\u0301", "\u0301\u0316",
        "\u1100\u1161\u11a8", "word ", "=-"}) {
    std::string text = "x";
    while (static_cast<int64_t>(text.size()) < kBytes)
      text += unit;
    std::vector<int32_t> ids;
    int64_t lookups = 0;
    ASSERT_TRUE(tokenizer().encode(text, true, ids, &lookups));
    // A replacement character has three bytes.
    EXPECT_LE(lookups, kLookupsPerByte *
                           static_cast<int64_t>(replaceBrokenUtf8(text).size()))
        << unit;
    EXPECT_EQ(tokenizer().decode(ids, false),
              normalizeNfc(replaceBrokenUtf8(text)))
        << unit;
  }
}

/// The definition, with the merges in a map: the pair of lowest rank, leftmost,
/// until there is none.
std::vector<int32_t> mergePlainly(const std::vector<uint8_t> &table,
                                  std::string_view word) {
  const auto *header =
      reinterpret_cast<const qwen_tokenizer_header *>(table.data());
  const auto *slots =
      reinterpret_cast<const qwen_merge *>(table.data() + header->merges);
  std::map<std::pair<int32_t, int32_t>, qwen_merge> merges;
  for (uint32_t slot = 0; slot < header->merge_slots; ++slot)
    if (slots[slot].left != UINT32_MAX)
      merges[{slots[slot].left, slots[slot].right}] = slots[slot];
  std::vector<int32_t> ids;
  for (char c : word)
    ids.push_back(
        static_cast<int32_t>(header->byte_token[static_cast<uint8_t>(c)]));
  while (true) {
    const qwen_merge *best = nullptr;
    size_t at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      auto found = merges.find({ids[i], ids[i + 1]});
      if (found != merges.end() && (!best || found->second.rank < best->rank)) {
        best = &found->second;
        at = i;
      }
    }
    if (!best)
      return ids;
    ids[at] = static_cast<int32_t>(best->merged);
    ids.erase(ids.begin() + static_cast<int64_t>(at) + 1);
  }
}

// Short words and long ones take different ways to the same merges.
TEST_F(TokenizerTest, WordsOfAnyLengthMergeByRank) {
  std::mt19937 random(1);
  for (size_t length : {1, 2, 3, 7, 20, 31, 32, 33, 34, 60, 150})
    for (std::string_view letters :
         {"a", "ab", "eintsrao", "abcdefghijklmnopqrstuvwxyz"})
      for (int round = 0; round < 4; ++round) {
        std::string word;
        while (word.size() < length)
          word += letters[random() % letters.size()];
        EXPECT_EQ(encode(word), mergePlainly(table, word)) << word;
      }
}

TEST(TinyTokenizerTest, HasChatMl) {
  std::vector<uint8_t> table =
      importTable("configs/tiny/tokenizer/tokenizer.json");
  Result<Tokenizer> tokenizer = Tokenizer::open(table.data(), table.size());
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->size(), 384);
  for (const char *text : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"})
    EXPECT_TRUE(tokenizer->isSpecial(tokenizer->findAdded(text).value_or(-1)))
        << text;
}

} // namespace
} // namespace qwen
