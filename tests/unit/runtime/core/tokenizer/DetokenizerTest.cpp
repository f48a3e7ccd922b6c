// DetokenizerTest.cpp - streamed pieces are whole characters, and join to the
// text of all ids.
#include "runtime/core/Detokenizer.h"

#include "runtime/core/Utf8.h"
#include "tests/unit/runtime/core/tokenizer/Corpus.h"
#include "gtest/gtest.h"

#include <cstring>

namespace qwen {
namespace {

class DetokenizerTest : public testing::Test {
protected:
  DetokenizerTest()
      : table(smallTable()),
        opened(Tokenizer::open(table.data(), table.size())) {
    qwen_tokenizer_header header;
    std::memcpy(&header, table.data(), sizeof header);
    for (int byte = 0; byte < 256; ++byte)
      byteTokens.push_back(static_cast<int32_t>(header.byte_token[byte]));
  }

  std::vector<int32_t> tokensOf(std::string_view bytes) const {
    std::vector<int32_t> ids;
    for (char c : bytes)
      ids.push_back(byteTokens[static_cast<uint8_t>(c)]);
    return ids;
  }

  // Also checks that every piece is well-formed, and that nothing is held back
  // longer than needed.
  std::string stream(const std::vector<int32_t> &ids,
                     bool skipSpecial = false) const {
    Detokenizer detokenizer(*opened, skipSpecial);
    std::string text, bytes;
    for (int32_t id : ids) {
      std::string piece = detokenizer.push(id);
      EXPECT_EQ(validUtf8Prefix(piece), static_cast<int64_t>(piece.size()));
      text += piece;
      if (!skipSpecial) {
        bytes += opened->bytes(id);
        std::string all = replaceBrokenUtf8(bytes);
        EXPECT_TRUE(all.starts_with(text));
        EXPECT_LE(all.size() - text.size(),
                  3u); // at most one U+FFFD for what is held
      }
    }
    return text + detokenizer.finish();
  }

  std::vector<uint8_t> table;
  Result<Tokenizer> opened;
  std::vector<int32_t> byteTokens;
};

TEST_F(DetokenizerTest, BytesOfTheCorpusOneByOne) {
  for (const std::string &text : readStrings())
    EXPECT_EQ(stream(tokensOf(text)), replaceBrokenUtf8(text));
}

TEST_F(DetokenizerTest, IdsOfTheCorpus) {
  for (const std::vector<int32_t> &ids : readIds("small.ids")) {
    EXPECT_EQ(stream(ids), opened->decode(ids, false));
    EXPECT_EQ(stream(ids, true), opened->decode(ids, true));
  }
}

TEST_F(DetokenizerTest, HoldsBackOnlyIncompleteCharacters) {
  Detokenizer detokenizer(*opened, false);
  std::vector<int32_t> ids = tokensOf("\xf0\x9f\x98\x80");
  EXPECT_EQ(detokenizer.push(ids[0]), "");
  EXPECT_EQ(detokenizer.push(ids[1]), "");
  EXPECT_EQ(detokenizer.push(ids[2]), "");
  EXPECT_EQ(detokenizer.push(ids[3]), "😀");
  EXPECT_EQ(detokenizer.push(ids[0]), "");
  EXPECT_EQ(detokenizer.push(byteTokens['a']), "\uFFFDa");
  EXPECT_EQ(detokenizer.push(byteTokens[0xFF]),
            "\uFFFD"); // nothing can complete it
  EXPECT_EQ(detokenizer.push(ids[0]), "");
  EXPECT_EQ(detokenizer.finish(), "\uFFFD");
  EXPECT_EQ(detokenizer.finish(), "");
  EXPECT_EQ(detokenizer.push(byteTokens['b']), "b");
}

TEST_F(DetokenizerTest, SkippedTokensDoNotBreakCharacters) {
  int32_t end = *opened->findAdded("<|im_end|>");
  std::vector<int32_t> e = tokensOf("é");
  EXPECT_EQ(stream({e[0], end, e[1]}, true), "é");
  EXPECT_EQ(stream({e[0], end, e[1]}, false), "\uFFFD<|im_end|>\uFFFD");
}

} // namespace
} // namespace qwen
