// NormalizerTest.cpp - what NFC must do, by example; the corpus holds the rest
// against the package.
#include "runtime/core/Normalizer.h"

#include "gtest/gtest.h"

namespace qwen {
namespace {

struct Case {
  const char *text, *nfc;
};

// Source: Unicode 15 NormalizationTest.txt, columns 1 and 2, and UAX #15.
constexpr Case kCases[] = {
    {"", ""},
    {"plain", "plain"},
    {"e\u0301", "\u00e9"},
    {"\u0344", "\u0308\u0301"},       // excluded from composition
    {"\u0958", "\u0915\u093c"},       // likewise
    {"\u212b", "\u00c5"},             // a singleton
    {"\u1e0a\u0323", "\u1e0c\u0307"}, // marks change places
    {"\u1e0d\u0307", "\u1e0d\u0307"}, // and these must not
    {"a\u0315\u0300\u05ae\u0300b", "\u00e0\u05ae\u0300\u0315b"},
    {"\u0061\u0334\u0301",
     "\u00e1\u0334"}, // a lower class in between does not block
    {"a\u0301\u0300", "\u00e1\u0300"}, // an equal class does
    {"\u1100\u1161\u11a8", "\uac01"},  // Hangul
    {"\u1100\u1161", "\uac00"},
    {"\uac00\u11a8", "\uac01"},
    {"\uac00\u11a7", "\uac00\u11a7"}, // just before the first final consonant
    {"\u1100\u11a8", "\u1100\u11a8"},
    {"\u09c7\u09be", "\u09cb"}, // a starter that composes with a starter
    {"\u09c7\u0334\u09be", "\u09c7\u0334\u09be"}, // but not across a mark
    {"\u2adc", "\u2add\u0338"},
    {"\U0001d15e", "\U0001d157\U0001d165"},
    {"\U000110a5\U000110ba", "\U000110ab"},
    {"\ufb01", "\ufb01"}, // compatibility forms stay
    {"\u0301", "\u0301"},
};

TEST(NormalizerTest, Cases) {
  for (const Case &c : kCases) {
    EXPECT_EQ(normalizeNfc(c.text), c.nfc) << c.text;
    EXPECT_EQ(normalizeNfc(c.nfc), c.nfc) << c.nfc;
  }
}

// The package knows no combining class and no composite younger than Unicode 9.
TEST(NormalizerTest, YoungMarksKeepTheirPlace) {
  EXPECT_EQ(normalizeNfc("a\u0898\u0316"), "a\u0898\u0316");
  EXPECT_EQ(normalizeNfc("a\U0001e4ec\u0316"), "a\U0001e4ec\u0316");
  EXPECT_EQ(normalizeNfc("\U00011935\U00011930"), "\U00011935\U00011930");
  EXPECT_EQ(normalizeNfc("\U00011938"), "\U00011938");
}

// A run of marks of many classes, ordered by comparing neighbours, would take
// minutes.
TEST(NormalizerTest, LongRunsOfMarksAreOrdered) {
  std::string text = "x", low, high;
  for (int i = 0; i < 200000; ++i) {
    text += "\u0301\u0316"; // classes 230 and 220
    low += "\u0316";
    high += "\u0301";
  }
  EXPECT_EQ(normalizeNfc(text), "x" + low + high);
}

} // namespace
} // namespace qwen
