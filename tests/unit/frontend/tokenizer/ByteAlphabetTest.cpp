// ByteAlphabetTest.cpp - the alphabet of byte-level vocabularies, undone.
#include "frontend/tokenizer/ByteAlphabet.h"

#include "gtest/gtest.h"

#include <set>

namespace qwen {
namespace {

std::string utf8(int codePoint) {
  if (codePoint < 0x80)
    return {static_cast<char>(codePoint)};
  return {static_cast<char>(0xC0 | codePoint >> 6),
          static_cast<char>(0x80 | (codePoint & 0x3F))};
}

TEST(ByteAlphabetTest, KnownCharacters) {
  EXPECT_EQ(bytesFromAlphabet("\u0120the"), " the");
  EXPECT_EQ(bytesFromAlphabet("\u010A\u010A"), "\n\n");
  EXPECT_EQ(bytesFromAlphabet("\u00e4\u00b8\u0143"),
            "中"[0] + std::string("\xb8\xad"));
  EXPECT_EQ(bytesFromAlphabet(""), "");
}

TEST(ByteAlphabetTest, EveryByteHasOneCharacter) {
  std::set<std::string> bytes;
  int characters = 0;
  for (int codePoint = 0; codePoint < 0x800; ++codePoint)
    if (std::optional<std::string> byte = bytesFromAlphabet(utf8(codePoint))) {
      EXPECT_EQ(byte->size(), 1u);
      bytes.insert(*byte);
      ++characters;
    }
  EXPECT_EQ(characters, 256);
  EXPECT_EQ(bytes.size(), 256u);
}

TEST(ByteAlphabetTest, OtherTextIsRefused) {
  for (const char *text :
       {" ", "a b", "\n", "\u0144", "\u4e2d", "a\u00ad", "\xc4", "\xff",
        "\xc4\x20", "\xf0\x9f\x98\x80", "\x7f"})
    EXPECT_FALSE(bytesFromAlphabet(text)) << text;
}

} // namespace
} // namespace qwen
