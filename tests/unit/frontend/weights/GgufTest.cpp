// ninja unit_frontend_weights && bin/unit_frontend_weights
// --gtest_filter='Gguf*'
#include "frontend/weights/GgufSpec.h"
#include "tests/unit/frontend/weights/BinaryWriter.h"

#include "gtest/gtest.h"

#include <functional>
#include <random>

namespace qwen {
namespace {

constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ8 = 8;

/// Two keys of each kind and three tensors.
BinaryWriter example(uint32_t version = 3) {
  BinaryWriter file;
  file.ggufHead(3, 6, version);
  file.ggufText("general.architecture", "qwen2");
  file.ggufInteger("general.alignment", 64);
  file.text("numbers").number(uint32_t(9)).number(uint32_t(5));
  file.number(uint64_t(2)).number(int32_t(-1)).number(int32_t(7));
  file.text("words").number(uint32_t(9)).number(uint32_t(8));
  file.number(uint64_t(2)).text("a").text("");
  file.text("flag").number(uint32_t(7)).number(uint8_t(1));
  file.ggufReal("real", 0.5f);
  file.ggufTensor("token_embd.weight", {64, 3}, kQ8, 0);
  file.ggufTensor("blk.12.attn_q.bias", {4}, kF32, 256);
  file.ggufTensor("rope_freqs.weight", {2}, kF32, 320);
  return file.align(64).zeros(328);
}

class GgufTest : public testing::Test {
protected:
  std::optional<GgufHeader> read(const std::string &data) {
    messages.str("");
    std::istringstream in(data);
    return parseGguf(in, int64_t(data.size()), "m.gguf", diags);
  }

  std::ostringstream messages;
  Diagnostics diags{messages};
};

TEST_F(GgufTest, metadataKeepsItsTypes) {
  std::optional<GgufHeader> header = read(example().data);
  ASSERT_TRUE(header) << messages.str();
  const GgufMetadata &metadata = header->metadata;
  EXPECT_EQ(*metadata.text("general.architecture"), "qwen2");
  EXPECT_EQ(*metadata.integers("numbers"), (std::vector<int64_t>{-1, 7}));
  EXPECT_EQ(*metadata.texts("words"), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(*metadata.boolean("flag"), true);
  EXPECT_EQ(*metadata.real("real"), 0.5);
  EXPECT_EQ(metadata.integer("real"), nullptr);
  EXPECT_FALSE(metadata.has("absent"));
}

TEST_F(GgufTest, tensorsHaveHfNamesAndSlowestDimensionFirst) {
  for (uint32_t version : {2u, 3u}) {
    std::string data = example(version).data;
    std::optional<GgufHeader> header = read(data);
    ASSERT_TRUE(header) << messages.str();
    ASSERT_EQ(header->tensors.size(), 3u);
    const StoredTensor &embedding =
        header->tensors.at("model.embed_tokens.weight");
    EXPECT_EQ(embedding.shape, (std::vector<int64_t>{3, 64}));
    EXPECT_EQ(embedding.storedType, "q8_0");
    EXPECT_EQ(embedding.sizeBytes, 3 * 2 * 34);
    EXPECT_EQ(embedding.offsetBytes, int64_t(data.size()) - 328);
    const StoredTensor &bias =
        header->tensors.at("model.layers.12.self_attn.q_proj.bias");
    EXPECT_EQ(bias.fileName, "blk.12.attn_q.bias");
    EXPECT_EQ(bias.offsetBytes, int64_t(data.size()) - 72);
    EXPECT_TRUE(header->tensors.count("rope_freqs.weight"));
  }
}

TEST_F(GgufTest, everyTruncationIsRefused) {
  std::string data = example().data;
  for (size_t size = 0; size < data.size(); ++size)
    EXPECT_FALSE(read(data.substr(0, size))) << size;
}

TEST_F(GgufTest, noDamagedByteCrashes) {
  std::string data = example().data;
  // NOLINTNEXTLINE(bugprone-random-generator-seed): the same in every run
  std::mt19937 random(1);
  int64_t refused = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string damaged = data;
    for (uint32_t i = random() % 4 + 1; i-- > 0;)
      damaged[random() % (data.size() - 328)] = char(random());
    refused += !read(damaged);
  }
  EXPECT_GT(refused, 10000);
}

TEST_F(GgufTest, hugeCountsAllocateNothing) {
  for (uint64_t count : {uint64_t(1) << 22, uint64_t(1) << 40, ~uint64_t(0)}) {
    BinaryWriter file;
    file.ggufHead(0, 1).text("k").number(uint32_t(9)).number(uint32_t(8));
    EXPECT_FALSE(read(file.number(count).data));
    EXPECT_FALSE(read(BinaryWriter().ggufHead(count, 0).data));
    EXPECT_FALSE(read(BinaryWriter().ggufHead(0, count).data));
    EXPECT_FALSE(read(BinaryWriter().ggufHead(0, 1).number(count).data));
  }
}

TEST(GgufNamesTest, everyNameOfTheFamilyIsTranslated) {
  const std::pair<const char *, const char *> kNames[] = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"},
      {"blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight"},
      {"blk.23.attn_q.weight", "model.layers.23.self_attn.q_proj.weight"},
      {"blk.3.attn_k.bias", "model.layers.3.self_attn.k_proj.bias"},
      {"blk.3.attn_v.weight", "model.layers.3.self_attn.v_proj.weight"},
      {"blk.3.attn_output.weight", "model.layers.3.self_attn.o_proj.weight"},
      {"blk.3.attn_q_norm.weight", "model.layers.3.self_attn.q_norm.weight"},
      {"blk.3.attn_k_norm.weight", "model.layers.3.self_attn.k_norm.weight"},
      {"blk.3.ffn_norm.weight",
       "model.layers.3.post_attention_layernorm.weight"},
      {"blk.3.ffn_gate.weight", "model.layers.3.mlp.gate_proj.weight"},
      {"blk.3.ffn_up.weight", "model.layers.3.mlp.up_proj.weight"},
      {"blk.3.ffn_down.weight", "model.layers.3.mlp.down_proj.weight"},
  };
  for (const auto &[gguf, hf] : kNames)
    EXPECT_EQ(hfTensorName(gguf), hf);
  for (const char *same :
       {"", "blk", "blk.", "blk.3", "blk.3.", "blk.x.ffn_up.weight",
        "blk..ffn_up.weight", "blk.-1.ffn_up.weight", "blk.3.ffn_up.scale",
        "blk.3.ffn_gate_exps.weight", "rope_freqs.weight", ".weight"})
    EXPECT_EQ(hfTensorName(same), same);
}

/// Metadata of a small qwen3 model, with one more key where `extra` is given.
std::string specFile(const std::function<void(BinaryWriter &)> &extra,
                     uint64_t extraKeys, bool withHead) {
  BinaryWriter file;
  file.ggufHead(withHead ? 2 : 1, 10 + extraKeys);
  file.ggufText("general.architecture", "qwen3");
  file.ggufInteger("qwen3.block_count", 2);
  file.ggufInteger("qwen3.embedding_length", 96);
  file.ggufInteger("qwen3.feed_forward_length", 160);
  file.ggufInteger("qwen3.attention.head_count", 4);
  file.ggufInteger("qwen3.attention.head_count_kv", 2);
  file.ggufInteger("qwen3.attention.key_length", 32);
  file.ggufReal("qwen3.attention.layer_norm_rms_epsilon", 1e-6f);
  file.ggufReal("qwen3.rope.freq_base", 1e6f);
  file.ggufInteger("qwen3.context_length", 512);
  extra(file);
  file.ggufTensor("token_embd.weight", {96, 100}, kF32, 0);
  if (withHead)
    file.ggufTensor("output.weight", {96, 100}, kF32, 38400);
  return file.align(32).zeros(size_t(38400) * 2).data;
}

class GgufSpecTest : public GgufTest {
protected:
  std::optional<ModelSpec> spec(
      const std::function<void(BinaryWriter &)> &extra = [](auto &) {},
      uint64_t extraKeys = 0, bool withHead = false,
      const std::vector<std::string> &ignored = {}) {
    std::optional<GgufHeader> header =
        read(specFile(extra, extraKeys, withHead));
    EXPECT_TRUE(header) << messages.str();
    return header ? specFromGguf(*header, ignored, diags) : std::nullopt;
  }
};

TEST_F(GgufSpecTest, metadataBecomesASpec) {
  std::optional<ModelSpec> model = spec();
  ASSERT_TRUE(model) << messages.str();
  EXPECT_EQ(model->architecture, "qwen3");
  EXPECT_EQ(model->hiddenSize, 96);
  EXPECT_EQ(model->ffnSize, 160);
  EXPECT_EQ(model->layers, 2);
  EXPECT_EQ(model->queryHeads, 4);
  EXPECT_EQ(model->keyValueHeads, 2);
  EXPECT_EQ(model->headWidth, 32);
  EXPECT_EQ(model->vocabSize, 100);
  EXPECT_EQ(model->maxPositions, 512);
  EXPECT_EQ(model->ropeTheta, 1e6);
  EXPECT_EQ(model->rmsNormEps, double(1e-6f));
  EXPECT_TRUE(model->qkNorm);
  EXPECT_FALSE(model->qkvBias);
  EXPECT_TRUE(model->tiedEmbedding);
}

TEST_F(GgufSpecTest, aHeadOfItsOwnUnties) {
  std::optional<ModelSpec> model = spec([](auto &) {}, 0, true);
  ASSERT_TRUE(model) << messages.str();
  EXPECT_FALSE(model->tiedEmbedding);
}

TEST_F(GgufSpecTest, repeatedFactsMustAgree) {
  EXPECT_TRUE(spec(
      [](BinaryWriter &file) {
        file.ggufInteger("qwen3.attention.value_length", 32);
        file.ggufInteger("qwen3.rope.dimension_count", 32);
        file.ggufInteger("qwen3.vocab_size", 100);
        file.ggufInteger("qwen3.expert_count", 0);
        file.ggufText("qwen3.rope.scaling.type", "none");
      },
      5))
      << messages.str();
  for (const char *key :
       {"qwen3.attention.value_length", "qwen3.rope.dimension_count",
        "qwen3.vocab_size", "qwen3.expert_count"})
    EXPECT_FALSE(
        spec([&](BinaryWriter &file) { file.ggufInteger(key, 16); }, 1))
        << key;
}

TEST_F(GgufSpecTest, otherKeysOfTheArchitectureAreRefusedUnlessIgnored) {
  auto extra = [](BinaryWriter &file) {
    file.ggufInteger("qwen3.attention.sliding_window", 4096);
  };
  EXPECT_FALSE(spec(extra, 1));
  EXPECT_TRUE(spec(extra, 1, false, {"qwen3.attention.sliding_window"}));
  EXPECT_FALSE(spec(
      [](BinaryWriter &file) {
        file.ggufText("qwen3.rope.scaling.type", "yarn");
      },
      1));
  EXPECT_FALSE(
      spec([](BinaryWriter &file) { file.ggufInteger("split.count", 2); }, 1));
}

TEST_F(GgufTest, generationTakesStopTokensOnce) {
  BinaryWriter file;
  file.ggufHead(0, 3);
  file.ggufInteger("tokenizer.ggml.eos_token_id", 5);
  file.ggufInteger("tokenizer.ggml.eot_token_id", 5);
  file.ggufInteger("tokenizer.ggml.bos_token_id", 3);
  std::optional<GgufHeader> header = read(file.data);
  ASSERT_TRUE(header) << messages.str();
  GenerationConfig generation = generationFromGguf(header->metadata);
  EXPECT_EQ(generation.eosTokenIds, std::vector<int64_t>{5});
  EXPECT_EQ(generation.bosTokenId, 3);
}

} // namespace
} // namespace qwen
