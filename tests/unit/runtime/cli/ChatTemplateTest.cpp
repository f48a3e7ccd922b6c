// ChatTemplateTest.cpp - run alone: unit_runtime_cli
// --gtest_filter='ChatTemplate*'
#include "runtime/cli/ChatTemplate.h"
#include "tests/unit/runtime/cli/Program.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace qwen {
namespace {

Result<std::string>
rendered(const std::string &jinja,
         const std::vector<ChatMessage> &messages = {{"user", "hi"}},
         bool thinking = true) {
  Result<ChatTemplate> chat = ChatTemplate::parse(jinja);
  if (!chat.ok())
    return chat.status();
  return chat->render(messages, thinking);
}

std::string errorOf(const std::string &jinja) {
  Result<std::string> text = rendered(jinja);
  EXPECT_FALSE(text.ok()) << jinja << " gives " << (text.ok() ? *text : "");
  return text.ok() ? "" : text.status().text();
}

TEST(ChatTemplate, GivesWhatJinjaGives) {
  auto made = nlohmann::json::parse(
      fileBytes(QWENC_SOURCE_DIR "/tests/unit/runtime/cli/templates.json"));
  ASSERT_GE(made["cases"].size(), 18u);
  for (const auto &test : made["cases"]) {
    for (size_t i = 0; i < made["conversations"].size(); ++i) {
      std::vector<ChatMessage> messages;
      for (const auto &message : made["conversations"][i])
        messages.push_back({message[0], message[1]});
      for (bool thinking : {true, false}) {
        const char *expected = thinking ? "texts" : "without_thinking";
        Result<std::string> text =
            rendered(test["template"], messages, thinking);
        ASSERT_TRUE(text.ok()) << text.status().text() << " in\n"
                               << test["template"];
        EXPECT_EQ(*text, test[expected][i].get<std::string>())
            << test["template"];
      }
    }
  }
}

TEST(ChatTemplate, WhatIsWrongIsNamedWithItsLine) {
  struct {
    const char *jinja, *text;
  } const cases[] = {
      {"", "this model has no chat template"},
      {"a\n{{ x", "the model's chat template: line 2: a tag has no end"},
      {"{# x", "the model's chat template: line 1: a comment has no end"},
      {"{{ 'x }}", "the model's chat template: line 1: a string has no end"},
      {"{{ }}", "the model's chat template: line 1: the tag ends where a value "
                "is expected"},
      {"{{ 1 2 }}",
       "the model's chat template: line 1: the tag ends too late, not `2`"},
      {"{% if x %}",
       "the model's chat template: line 1: expected `endif` for the tag here"},
      {"{% endif %}",
       "the model's chat template: line 1: `endif` closes nothing"},
      {"{% macro f() %}{% endmacro %}",
       "the model's chat template: line 1: `macro` is not supported"},
      {"{% %}", "the model's chat template: line 1: `` is not supported"},
      {"{{ ? }}",
       "the model's chat template: line 1: `?` is not understood here"},
      {"{{ 'a' | sort }}",
       "the model's chat template: line 1: the filter `sort` is not supported"},
      {"{{ f() }}",
       "the model's chat template: line 1: the function `f` is not supported"},
      {"{{ 'a'.title() }}", "the model's chat template: line 1: the method "
                            "`title` of a string is not supported"},
      {"{{ 'a' is odd }}",
       "the model's chat template: line 1: the test `odd` is not supported"},
      {"\n\n{{ nobody.content }}",
       "the model's chat template: line 3: `content` of something undefined"},
      {"{{ 'a' + 1 }}",
       "the model's chat template: line 1: `+` of string and number"},
      {"{{ 'a' + messages[7] }}",
       "the model's chat template: line 1: `+` of string and undefined"},
      {"{{ raise_exception('no system') }}",
       "the model's chat template: line 1: no system"},
      {"{{ 1 // 0 }}", "the model's chat template: line 1: `//` has no result"},
      {"{{ 9223372036854775807 + 1 }}",
       "the model's chat template: line 1: `+` has no result"},
      {"{{ 'abc'[::0] }}",
       "the model's chat template: line 1: a slice with step 0"},
      {"{% set x.y = 1 %}",
       "the model's chat template: line 1: `x` is no namespace"},
      {"{{ [][ }}", "the model's chat template: line 1: a tag has no end"},
  };
  for (const auto &test : cases)
    EXPECT_EQ(errorOf(test.jinja), test.text) << test.jinja;
}

TEST(ChatTemplate, HostileOnesEnd) {
  std::string deep, chain = "{{ 1";
  for (int i = 0; i < 100000; ++i) {
    deep += "(";
    chain += "+1";
  }
  EXPECT_NE(errorOf("{{ " + deep), "");
  EXPECT_NE(errorOf(chain + " }}"), "");
  std::string nested;
  for (int i = 0; i < 30000; ++i)
    nested += "{% if 1 %}";
  EXPECT_NE(errorOf(nested), "");
  EXPECT_NE(errorOf("{% for a in range(10000) %}{% for b in range(10000) %}{% "
                    "endfor %}{% endfor %}"),
            "");
  EXPECT_NE(errorOf("{{ range(9999999999) }}"), "");
  EXPECT_NE(errorOf("{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in "
                    "range(100) %}{% set ns.s = ns.s + ns.s "
                    "%}{% endfor %}"),
            "");
  EXPECT_NE(errorOf(std::string(2 << 20, 'a')), "");
}

TEST(ChatTemplate, EveryPrefixOfATemplateIsAcceptedOrRefused) {
  auto made = nlohmann::json::parse(
      fileBytes(QWENC_SOURCE_DIR "/tests/unit/runtime/cli/templates.json"));
  for (const auto &test : made["cases"]) {
    std::string whole = test["template"];
    for (size_t length = 1; length < whole.size(); length += 3)
      (void)rendered(whole.substr(0, length));
  }
}

} // namespace
} // namespace qwen
