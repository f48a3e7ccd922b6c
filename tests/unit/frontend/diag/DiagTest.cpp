// ninja unit_frontend_diag && bin/unit_frontend_diag --gtest_filter='Diag*'
#include "frontend/diag/Diag.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace qwen {
namespace {

constexpr Diag<diag::Text, diag::Int, diag::Real> kExample{
    "Example", "`{0}` is {1}, {0}, {2}"};

TEST(DiagTest, printsPathLineColumnKindAndText) {
  std::ostringstream out;
  Diagnostics diags(out);
  diags.error(kExample, {"c.json", 3, 7}, "key", 4, 1e-6);
  diags.note(kExample, {"w.gguf"}, "key", -1, 0.5);
  EXPECT_EQ(out.str(), "c.json:3:7: error: `key` is 4, key, 1e-06\n"
                       "w.gguf: note: `key` is -1, key, 0.5\n");
  EXPECT_EQ(diags.errorCount(), 1);
  EXPECT_EQ(diags.ids().size(), 2u);
}

TEST(DiagTest, controlCharactersOfUserTextAreEscapedAndLongTextIsCut) {
  EXPECT_EQ(Diagnostics::format("a\x1b[2J\n\x7f"), "a\\x1b[2J\\x0a\\x7f");
  std::string longText(1000, 'x');
  EXPECT_EQ(Diagnostics::format(longText).size(), 403u);
}

TEST(DiagTest, anArgumentThatLooksLikeAPlaceholderStaysAsItIs) {
  std::ostringstream out;
  Diagnostics diags(out);
  diags.error(kExample, {"f"}, "{1}", 4, 2);
  EXPECT_EQ(out.str(), "f: error: `{1}` is 4, {1}, 2\n");
}

TEST(DiagTest, placeholdersAreCountedOnceAndWithoutGaps) {
  EXPECT_EQ(countPlaceholders("no"), 0);
  EXPECT_EQ(countPlaceholders("{0} {1} {0}"), 2);
  EXPECT_EQ(countPlaceholders("{1}"), -1);
}

TEST(DiagTest, textsFollowTheHouseStyle) {
  std::set<std::string> ids;
  for (const DiagRow &row : allDiags()) {
    std::string text = row.text;
    EXPECT_TRUE(ids.insert(row.id).second) << row.id << " is there twice";
    EXPECT_NE(text.back(), '.') << row.id;
    size_t ticks = size_t(std::count(text.begin(), text.end(), '`'));
    EXPECT_EQ(ticks % 2, 0u) << row.id;
  }
}

} // namespace
} // namespace qwen
