// Utf8Test.cpp - one U+FFFD for each maximal broken part.
#include "runtime/core/Utf8.h"

#include "gtest/gtest.h"

namespace qwen {
namespace {

TEST(Utf8Test, BrokenPartsAreReplaced) {
  const std::string kBad = "\uFFFD";
  auto fixed = [](std::string_view text) { return replaceBrokenUtf8(text); };
  EXPECT_EQ(fixed("aé中😀"), "aé中😀");
  EXPECT_EQ(fixed("\xff"), kBad);
  EXPECT_EQ(fixed("\xc0\xaf"), kBad + kBad); // overlong
  EXPECT_EQ(fixed("\xe0\x9f\xbf"), kBad + kBad + kBad);
  EXPECT_EQ(fixed("\xed\xa0\x80"), kBad + kBad + kBad); // a surrogate
  EXPECT_EQ(fixed("\xf4\x90\x80\x80"), kBad + kBad + kBad + kBad);
  EXPECT_EQ(fixed("\xe4\xb8"), kBad); // cut off: one part
  EXPECT_EQ(fixed("\xf0\x9f\x98"
                  "a"),
            kBad + "a");
  // Unicode 15, table 3-8.
  EXPECT_EQ(fixed("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64"),
            "a" + kBad + kBad + kBad + "b" + kBad + "c" + kBad + kBad + "d");
  EXPECT_EQ(validUtf8Prefix("a中\xe4\xb8"), 4);
}

TEST(Utf8Test, EveryCodePointReadsBack) {
  for (int32_t codePoint = 0; codePoint <= 0x10FFFF; ++codePoint) {
    std::string text;
    appendUtf8(text, codePoint);
    Utf8Step step = readUtf8(text);
    bool surrogate = codePoint >= 0xD800 && codePoint <= 0xDFFF;
    ASSERT_EQ(step.kind, surrogate ? Utf8Step::kBroken : Utf8Step::kCharacter)
        << codePoint;
    if (!surrogate)
      ASSERT_TRUE(step.codePoint == codePoint &&
                  step.length == static_cast<int64_t>(text.size()))
          << codePoint;
  }
}

} // namespace
} // namespace qwen
