// ninja unit_frontend_config && bin/unit_frontend_config
// --gtest_filter='ReadConfig*'
#include "frontend/config/ReadConfig.h"

#include "nlohmann/json.hpp"
#include "gtest/gtest.h"

#include <sstream>

namespace qwen {
namespace {

using Json = nlohmann::ordered_json;

Json qwen2Config() {
  return Json::parse(R"({
    "architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu",
    "hidden_size": 896, "intermediate_size": 4864,
    "max_position_embeddings": 32768, "model_type": "qwen2",
    "num_attention_heads": 14, "num_hidden_layers": 24,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
    "tie_word_embeddings": true, "vocab_size": 151936})");
}

Json qwen3Config() {
  Json config = qwen2Config();
  config["architectures"] = {"Qwen3ForCausalLM"};
  config["model_type"] = "qwen3";
  config["head_dim"] = 128;
  return config;
}

class ReadConfigTest : public testing::Test {
protected:
  std::optional<ModelSpec> read(const Json &config,
                                std::vector<std::string> ignored = {}) {
    messages.str("");
    return parseConfig(config.dump(), "c", {std::move(ignored)}, diags);
  }

  std::ostringstream messages;
  Diagnostics diags{messages};
};

TEST_F(ReadConfigTest, bothSpellingsGiveTheSameModel) {
  Json config = qwen3Config();
  std::optional<ModelSpec> four = read(config);
  ASSERT_TRUE(four) << messages.str();
  config.erase("rope_theta");
  config["rope_parameters"] = {{"rope_theta", 1e6}, {"rope_type", "default"}};
  config["dtype"] = "bfloat16";
  config["layer_types"] = std::vector<std::string>(24, "full_attention");
  std::optional<ModelSpec> five = read(config);
  ASSERT_TRUE(five) << messages.str();
  EXPECT_EQ(five->ropeTheta, four->ropeTheta);
  EXPECT_EQ(five->ropeTheta, 1e6);
  EXPECT_EQ(five->headWidth, 128);
}

TEST_F(ReadConfigTest, headWidthDefaultsToTheShareOfTheModelWidthInQwen2Only) {
  std::optional<ModelSpec> spec = read(qwen2Config());
  ASSERT_TRUE(spec) << messages.str();
  EXPECT_EQ(spec->headWidth, 64);
  Json config = qwen2Config();
  config["head_dim"] = 32;
  EXPECT_EQ(read(config)->headWidth, 32);
  config["head_dim"] = nullptr;
  EXPECT_EQ(read(config)->headWidth, 64);
  config = qwen3Config();
  config.erase("head_dim");
  EXPECT_FALSE(read(config));
}

TEST_F(ReadConfigTest, nullKeyValueHeadsMeanOneForEachQueryHead) {
  Json config = qwen2Config();
  config["num_key_value_heads"] = nullptr;
  EXPECT_EQ(read(config)->keyValueHeads, 14);
  config.erase("num_key_value_heads");
  EXPECT_FALSE(read(config));
}

TEST_F(ReadConfigTest, untiedIsTheDefault) {
  Json config = qwen2Config();
  EXPECT_TRUE(read(config)->tiedEmbedding);
  config.erase("tie_word_embeddings");
  EXPECT_FALSE(read(config)->tiedEmbedding);
}

TEST_F(ReadConfigTest, settingsThatAreSwitchedOffDoNotMatter) {
  Json config = qwen2Config();
  config["use_sliding_window"] = false;
  config["sliding_window"] = 4096;
  config["max_window_layers"] = 21;
  config["rope_scaling"] = nullptr;
  config["quantization_config"] = nullptr;
  config["use_mrope"] = false;
  config["is_encoder_decoder"] = false;
  config["attention_bias"] = true;
  config["layer_types"] = nullptr;
  EXPECT_TRUE(read(config)) << messages.str();
}

TEST_F(ReadConfigTest, plainRopeMayBeNamed) {
  Json config = qwen2Config();
  config["rope_scaling"] = {{"type", "default"}};
  EXPECT_TRUE(read(config)) << messages.str();
}

TEST_F(ReadConfigTest, ignoredKeysAreReadAsIfAbsent) {
  Json config = qwen2Config();
  config["logit_soft_cap"] = 30;
  EXPECT_FALSE(read(config));
  EXPECT_TRUE(read(config, {"logit_soft_cap"})) << messages.str();
  config["rope_scaling"] = {{"type", "yarn"}, {"factor", 4}};
  EXPECT_FALSE(read(config, {"logit_soft_cap"}));
  EXPECT_TRUE(read(config, {"logit_soft_cap", "rope_scaling"}));
  EXPECT_FALSE(read(qwen2Config(), {"hidden_size"}));
}

TEST_F(ReadConfigTest, everyProblemIsReportedAtOnce) {
  Json config = qwen2Config();
  config["hidden_size"] = "wide";
  config["hidden_act"] = "gelu";
  config["extra"] = 1;
  config.erase("vocab_size");
  EXPECT_FALSE(read(config));
  std::vector<std::string> ids(diags.ids().begin(), diags.ids().end());
  EXPECT_EQ(ids,
            (std::vector<std::string>{"ConfigWrongType", "ConfigKeyMissing",
                                      "ConfigHiddenAct", "ConfigUnknownKey"}));
}

TEST_F(ReadConfigTest, positionsAreThoseOfTheValues) {
  std::optional<ModelSpec> spec =
      parseConfig(qwen2Config().dump(2), "c", {}, diags);
  ASSERT_TRUE(spec) << messages.str();
  SourcePosition at = spec->positions.at("hidden_size");
  EXPECT_EQ(at.file, "c");
  EXPECT_EQ(std::pair(at.line, at.column), std::pair(6l, 18l));
}

struct Refused {
  const char *key;
  const char *value; // JSON
  const char *id;
};

class ReadConfigRefusalTest : public testing::TestWithParam<Refused> {};

TEST_P(ReadConfigRefusalTest, isNamed) {
  Json config = qwen3Config();
  config[GetParam().key] = Json::parse(GetParam().value);
  std::ostringstream messages;
  Diagnostics diags(messages);
  EXPECT_FALSE(parseConfig(config.dump(), "c", {}, diags));
  ASSERT_FALSE(diags.ids().empty());
  EXPECT_STREQ(diags.ids()[0], GetParam().id) << messages.str();
}

INSTANTIATE_TEST_SUITE_P(
    All, ReadConfigRefusalTest,
    testing::Values(
        Refused{"model_type", R"("qwen3_moe")", "ConfigUnknownModelType"},
        Refused{"model_type", "3", "ConfigWrongType"},
        Refused{"architectures", R"(["Qwen3ForSequenceClassification"])",
                "ConfigWrongClass"},
        Refused{"hidden_size", "0", "SpecRange"},
        Refused{"hidden_size", "-896", "SpecRange"},
        Refused{"hidden_size", "4294967296", "SpecRange"},
        Refused{"hidden_size", "99999999999999999999", "ConfigWrongType"},
        Refused{"hidden_size", "896.0", "ConfigWrongType"},
        Refused{"hidden_size", "null", "ConfigWrongType"},
        Refused{"num_hidden_layers", "1000000000", "SpecRange"},
        Refused{"num_key_value_heads", "4", "SpecHeadsNotDivisible"},
        Refused{"num_key_value_heads", "28", "SpecHeadsNotDivisible"},
        Refused{"head_dim", "65", "SpecHeadWidthOdd"},
        Refused{"head_dim", "16777216", "SpecHeadsTooWide"},
        Refused{"rms_norm_eps", "0", "SpecNotPositive"},
        Refused{"rope_theta", "-1e6", "SpecNotPositive"},
        Refused{"rope_theta", "\"x\"", "ConfigWrongType"},
        Refused{"rope_parameters", R"({"rope_theta": 5e6})", "ConfigTwoValues"},
        Refused{"rope_parameters", R"({"rope_type": "yarn", "factor": 4})",
                "ConfigRopeType"},
        Refused{"rope_parameters", R"({"partial_rotary_factor": 0.5})",
                "ConfigUnknownKey"},
        Refused{"rope_parameters", "7", "ConfigWrongType"},
        Refused{"rope_scaling", R"({"type": "yarn", "factor": 4})",
                "ConfigRopeType"},
        Refused{"use_sliding_window", "true", "ConfigFlag"},
        Refused{"use_sliding_window", "1", "ConfigWrongType"},
        Refused{"use_mrope", "true", "ConfigFlag"},
        Refused{"is_encoder_decoder", "true", "ConfigFlag"},
        Refused{"attention_bias", "true", "ConfigAttentionBias"},
        Refused{"hidden_act", R"("gelu")", "ConfigHiddenAct"},
        Refused{"quantization_config", R"({"quant_method": "awq"})",
                "ConfigQuantization"},
        Refused{"layer_types", R"(["full_attention"])", "ConfigLayerTypeCount"},
        Refused{"num_experts", "128", "ConfigUnknownKey"},
        Refused{"tie_word_embeddings", "\"yes\"", "ConfigWrongType"}));

} // namespace
} // namespace qwen
