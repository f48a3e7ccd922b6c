// SplitterTest.cpp - every alternative of the pattern, and what each leaves to
// the next.
#include "runtime/core/Splitter.h"

#include "runtime/core/CharacterClass.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace qwen {
namespace {

using Words = std::vector<std::string>;

Words split(std::string_view text) {
  Words words;
  while (!text.empty()) {
    int64_t length = firstWordLength(text);
    words.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return words;
}

TEST(SplitterTest, Contractions) {
  EXPECT_EQ(split("it's"), (Words{"it", "'s"}));
  EXPECT_EQ(split("IT'LL"), (Words{"IT", "'LL"}));
  EXPECT_EQ(split("'sail"), (Words{"'s", "ail"})); // the first alternative wins
  EXPECT_EQ(split("'rail"), (Words{"'rail"}));
  EXPECT_EQ(split("'r"), (Words{"'r"}));
  EXPECT_EQ(split("'lL'vE're'm'd't"),
            (Words{"'lL", "'vE", "'re", "'m", "'d", "'t"}));
  EXPECT_EQ(split("'\u017Fa"),
            (Words{"'\u017F", "a"})); // a long s ignores case too
  EXPECT_EQ(split("it\u2019s"), (Words{"it", "\u2019s"}));
  EXPECT_EQ(split(" 's"),
            (Words{" '", "s"})); // the apostrophe went with the blank
}

TEST(SplitterTest, Letters) {
  EXPECT_EQ(split("abc déf"), (Words{"abc", " déf"}));
  EXPECT_EQ(split("(abc"), (Words{"(abc"}));
  EXPECT_EQ(split("((abc"), (Words{"((", "abc"}));
  EXPECT_EQ(split("\tabc\u00a0def"), (Words{"\tabc", "\u00a0def"}));
  EXPECT_EQ(split("\nabc"), (Words{"\n", "abc"}));
  EXPECT_EQ(split("e\u0301a"), (Words{"e", "\u0301a"})); // a mark is no letter
  EXPECT_EQ(split("中文。字"), (Words{"中文", "。字"}));
}

TEST(SplitterTest, Numbers) {
  EXPECT_EQ(split("a123"), (Words{"a", "1", "2", "3"}));
  EXPECT_EQ(split(" 12"), (Words{" ", "1", "2"}));
  EXPECT_EQ(split("٣½Ⅻ"), (Words{"٣", "½", "Ⅻ"}));
}

TEST(SplitterTest, Punctuation) {
  EXPECT_EQ(split(" !!\n\n x"), (Words{" !!\n\n", " x"}));
  EXPECT_EQ(split("!!\r\n"), (Words{"!!\r\n"}));
  EXPECT_EQ(split("  !"), (Words{" ", " !"}));
  EXPECT_EQ(split("\t!"), (Words{"\t", "!"})); // only a space joins
  EXPECT_EQ(split("!\t\n"), (Words{"!", "\t\n"}));
  EXPECT_EQ(split("😀👍🏽!"), (Words{"😀👍🏽!"}));
}

TEST(SplitterTest, Blanks) {
  EXPECT_EQ(split("   "), (Words{"   "}));
  EXPECT_EQ(split("   a"), (Words{"  ", " a"}));
  EXPECT_EQ(split("   1"), (Words{"  ", " ", "1"}));
  EXPECT_EQ(split("  \n  \n  a"), (Words{"  \n  \n", " ", " a"}));
  EXPECT_EQ(split("a\r\n\r\n"), (Words{"a", "\r\n\r\n"}));
  EXPECT_EQ(split("a \t\v\f\u3000b"), (Words{"a", " \t\v\f", "\u3000b"}));
  EXPECT_EQ(split("\u2028\u2029"),
            (Words{"\u2028\u2029"})); // blanks, but no newlines of the pattern
}

TEST(CharacterClassTest, TablesReachUnicode16) {
  EXPECT_EQ(classOf(0x1C89), CharacterClass::kLetter);
  EXPECT_EQ(classOf(0x1C8B), CharacterClass::kOther);
  EXPECT_EQ(classOf(0x10D40), CharacterClass::kNumber);
  EXPECT_EQ(classOf(0x2EBF0), CharacterClass::kLetter);
  EXPECT_EQ(classOf(0x2EE5D), CharacterClass::kLetter);
  EXPECT_EQ(classOf(0x2EE5E), CharacterClass::kOther);
  EXPECT_EQ(classOf(0x85), CharacterClass::kBlank);
  EXPECT_EQ(classOf(0x180E), CharacterClass::kOther);
  EXPECT_EQ(classOf(0x200B), CharacterClass::kOther);
  EXPECT_EQ(classOf(0x10FFFF), CharacterClass::kOther);
}

} // namespace
} // namespace qwen
