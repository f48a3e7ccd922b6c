// ninja unit_frontend_diag && bin/unit_frontend_diag --gtest_filter='Json*'
#include "frontend/diag/Json.h"

#include "gtest/gtest.h"

#include <sstream>

namespace qwen {
namespace {

struct Broken {
  const char *name;
  std::string text;
  const char *message;
};

std::ostream &operator<<(std::ostream &out, const Broken &broken) {
  return out << broken.name;
}

class JsonBrokenTest : public testing::TestWithParam<Broken> {};

TEST_P(JsonBrokenTest, isReportedAtItsPlace) {
  std::ostringstream out;
  Diagnostics diags(out);
  EXPECT_FALSE(parseJson(GetParam().text, "f", diags));
  EXPECT_EQ(out.str(), std::string("f:") + GetParam().message + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    All, JsonBrokenTest,
    testing::Values(
        Broken{"empty", "", "1:1: error: broken JSON: the text ends too early"},
        Broken{"openObject", "{",
               "1:2: error: broken JSON: the text ends too early"},
        Broken{"openString", "[\"ab",
               "1:5: error: broken JSON: the text ends too early"},
        Broken{"noValue", "{\"a\":}",
               "1:6: error: broken JSON: unexpected `}`"},
        Broken{"mixedBrackets", "[1}",
               "1:3: error: broken JSON: unexpected `}`"},
        Broken{"noColon", "{\"a\" 123}",
               "1:6: error: broken JSON: unexpected `123`"},
        Broken{"trailingComma", "[1,\n]",
               "2:1: error: broken JSON: unexpected `]`"},
        Broken{"textAfter", "[1,2]\n x",
               "2:2: error: broken JSON: unexpected `x`"},
        Broken{"word", "[nul ]", "1:2: error: broken JSON: unexpected `nul `"},
        Broken{"controlInString", "[\"a\nb\"]",
               "1:2: error: broken JSON: unexpected `\"a\\x0a`"},
        Broken{"hugeNumber", "[1e999]",
               "1:2: error: broken JSON: the number is out of range"},
        Broken{"duplicate", "{\"a\":1,\n \"a\":2}",
               "2:2: error: the key `a` is given twice\n"
               "f:1:2: note: `a` given here"},
        Broken{"deep", std::string(100000, '['),
               "1:65: error: the JSON is nested deeper than 64 levels"}),
    [](const auto &info) { return std::string(info.param.name); });

TEST(JsonTest, everyKeyAndValueKnowsItsPlace) {
  std::ostringstream out;
  Diagnostics diags(out);
  auto root =
      parseJson("{\n  \"a\\\"\" : 12,\n  \"b\":[ \"x,:\",true ]}", "f", diags);
  ASSERT_TRUE(root) << out.str();
  const JsonMember &first = (*root->object())[0];
  EXPECT_EQ(first.key, "a\"");
  EXPECT_EQ(std::pair(first.line, first.column), std::pair(2l, 3l));
  EXPECT_EQ(first.value.column, 11);
  const JsonValue::Array &list = *root->find("b")->array();
  EXPECT_EQ(std::pair(list[0].line, list[0].column), std::pair(3l, 9l));
  EXPECT_EQ(list[1].column, 15);
}

TEST(JsonTest, theFirstColumnShiftsTheFirstLineOnly) {
  std::ostringstream out;
  Diagnostics diags(out);
  auto root = parseJson("[1,\n2]", "f", diags, 9);
  ASSERT_TRUE(root);
  EXPECT_EQ((*root->array())[0].column, 10);
  EXPECT_EQ((*root->array())[1].column, 1);
}

TEST(JsonTest, integersBeyond63BitsAreNumbersButNotIntegers) {
  std::ostringstream out;
  Diagnostics diags(out);
  auto root = parseJson("[9223372036854775807, 9223372036854775808, "
                        "-9223372036854775808, 1.0]",
                        "f", diags);
  ASSERT_TRUE(root);
  const JsonValue::Array &list = *root->array();
  EXPECT_EQ(*list[0].integer(), INT64_MAX);
  EXPECT_FALSE(list[1].integer());
  EXPECT_EQ(*list[1].number(), 0x1p63);
  EXPECT_EQ(*list[2].integer(), INT64_MIN);
  EXPECT_FALSE(list[3].integer());
}

} // namespace
} // namespace qwen
