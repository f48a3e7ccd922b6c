// IdsTest.cpp - run alone: unit_runtime_cli
// --gtest_filter='Ids*:Npy*:Generation*:Sampling*'
#include "runtime/cli/Ids.h"
#include "runtime/cli/Generation.h"
#include "runtime/cli/Npy.h"
#include "runtime/cli/Sampling.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

TEST(Ids, AreSeparatedByBlanksLineEndsAndCommas) {
  EXPECT_EQ(*parseIds("1 2,3\t4\r\n5, 6 ,7,\n", "f", 10),
            (std::vector<int32_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_TRUE(parseIds("", "f", 10)->empty());
  EXPECT_TRUE(parseIds(" ,\n", "f", 10)->empty());
}

TEST(Ids, TheFirstBadOneIsNamedWithItsPlace) {
  struct {
    const char *text, *line;
  } const cases[] = {
      {"1 x", "f:1:3: error: `x` is not a token id"},
      {"1\n2 3\n 4.5", "f:3:2: error: `4.5` is not a token id"},
      {"1 10", "f:1:3: error: token id 10 is not in 0 to 9"},
      {"-1", "f:1:1: error: token id -1 is not in 0 to 9"},
      {"99999999999999999999",
       "f:1:1: error: token id 99999999999999999999 is not in 0 to 9"},
      {"1\n99999999999999999999x",
       "f:2:1: error: `99999999999999999999x` is not a token id"},
      {"+1", "f:1:1: error: `+1` is not a token id"},
      {"0x1", "f:1:1: error: `0x1` is not a token id"},
      {"-", "f:1:1: error: `-` is not a token id"},
      {"\xff\x01", "f:1:1: error: `\\xff\\x01` is not a token id"},
      {"[1]", "f:1:1: error: `[1]` is not a token id"},
  };
  for (const auto &test : cases) {
    Result<std::vector<int32_t>> ids = parseIds(test.text, "f", 10);
    ASSERT_FALSE(ids.ok()) << test.text;
    EXPECT_EQ(ids.status().line("app"), test.line);
    EXPECT_EQ(ids.status().exitCode(), 1);
  }
  EXPECT_EQ(parseIds(std::string("1 \0", 3), "f", 10).status().text(),
            "`\\x00` is not a token id");
}

TEST(Npy, HeaderIsVersionOneAndAligned) {
  for (int64_t rows : {0, 1, 12345}) {
    std::string header = npyHeader(rows, 151936);
    EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
    EXPECT_EQ(header.size() % 64, 0u);
    size_t length = static_cast<uint8_t>(header[8]) +
                    256u * static_cast<uint8_t>(header[9]);
    EXPECT_EQ(length, header.size() - 10);
    EXPECT_EQ(header.substr(10, header.find("  ") - 10),
              "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                  std::to_string(rows) + ", 151936), }");
    EXPECT_EQ(header.back(), '\n');
  }
}

TEST(Generation, ReadsItsKeysAndNeedsNone) {
  auto generation = Generation::parse(
      R"({"stop_ids": [5, 7], "temperature": 0.7, "top_k": 20, "top_p": null, "other": {}})");
  ASSERT_TRUE(generation.ok());
  EXPECT_EQ(generation->stops.ids(), (std::vector<int32_t>{5, 7}));
  EXPECT_EQ(generation->temperature, 0.7);
  EXPECT_EQ(generation->topK, 20);
  EXPECT_FALSE(generation->topP);
  EXPECT_TRUE(Generation::parse("")->stops.ids().empty());
  EXPECT_TRUE(Generation::parse(std::string("{}\0\0", 4)).ok());
}

TEST(Generation, RefusesWhatItCannotRead) {
  EXPECT_EQ(Generation::parse("{").status().text(),
            "the generation section is not a JSON object");
  EXPECT_EQ(Generation::parse("[]").status().text(),
            "the generation section is not a JSON object");
  EXPECT_EQ(Generation::parse(R"({"top_k": "x"})").status().text(),
            "the generation section's `top_k` is not a number");
  EXPECT_EQ(Generation::parse(R"({"stop_ids": 3})").status().text(),
            "the generation section's `stop_ids` is not an array");
  EXPECT_EQ(
      Generation::parse(R"({"stop_ids": ["a"]})").status().text(),
      "the generation section's `stop_ids` holds something that is not an id");
}

TEST(Sampling, IsGreedyUnlessAskedTo) {
  Generation generation;
  generation.temperature = 0.5;
  generation.topK = 20;
  generation.repetitionPenalty = 1.1;
  SamplingOptions none;
  EXPECT_EQ(none.resolve(generation)->temperature, 0);
  EXPECT_EQ(none.resolve(generation)->repetitionPenalty, 1);
  SamplingOptions topP;
  topP.topP = 0.9;
  EXPECT_EQ(topP.resolve(generation)->temperature, 1);
  EXPECT_EQ(topP.resolve(generation)->topK, 0);
  SamplingOptions model;
  model.modelDefaults = true;
  model.topK = 3;
  EXPECT_EQ(model.resolve(generation)->temperature, 0.5);
  EXPECT_EQ(model.resolve(generation)->topK, 3);
  EXPECT_EQ(model.resolve(generation)->repetitionPenalty, 1.1);
  SamplingOptions bad;
  bad.topP = 1.5;
  EXPECT_EQ(bad.resolve(generation).status().code(), Code::kInvalid);
}

} // namespace
} // namespace qwen
