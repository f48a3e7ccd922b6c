// ninja unit_frontend_weights && bin/unit_frontend_weights
// --gtest_filter='OpenModel*'
#include "frontend/weights/OpenModel.h"

#include "frontend/config/ReadConfig.h"
#include "frontend/weights/CheckTensors.h"
#include "frontend/weights/StoredType.h"
#include "tests/unit/TestFolder.h"
#include "tests/unit/frontend/weights/BinaryWriter.h"

#include "gtest/gtest.h"

#include <filesystem>
#include <fstream>
#include <set>

namespace qwen {
namespace {

namespace fs = std::filesystem;

constexpr const char *kConfig = R"({
  "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
  "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
  "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
  "vocab_size": 10, "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
  "rope_theta": 1e6, "tie_word_embeddings": true, "eos_token_id": 3})";

class OpenModelTest : public testing::Test {
protected:
  void write(const fs::path &name, const std::string &text) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << text;
  }

  /// The tensors whose names `wanted` accepts, as bf16 zeros.
  template <typename Wanted> std::string safetensors(Wanted wanted) {
    ModelSpec spec = *parseConfig(kConfig, "c", {}, diags);
    spec.tiedEmbedding = false;
    std::string header;
    int64_t at = 0;
    for (const ExpectedTensor &tensor : expectedTensors(spec)) {
      if (!wanted(tensor.name))
        continue;
      int64_t bytes = *storedBytes(*findStoredType("bf16"), tensor.shape);
      header += (header.empty() ? "{\"" : ",\"") + tensor.name +
                "\":{\"dtype\":\"BF16\",\"shape\":" + shapeText(tensor.shape) +
                ",\"data_offsets\":" + shapeText({at, at + bytes}) + "}";
      at += bytes;
    }
    return BinaryWriter().text(header + "}").zeros(size_t(at)).data;
  }

  std::optional<CheckpointSource> open(const std::string &model,
                                       const std::string &cache = "") {
    messages.str("");
    return openModel(model, {{}, cache}, diags);
  }

  TestFolder own;
  const fs::path &folder = own.path;
  std::ostringstream messages;
  Diagnostics diags{messages};
};

bool allButHead(const std::string &name) { return name != "lm_head.weight"; }

TEST_F(OpenModelTest, aDirectoryGivesEverything) {
  write("config.json", kConfig);
  write("model.safetensors", safetensors(allButHead));
  write("tokenizer.json", "{}");
  write("generation_config.json", R"({"eos_token_id": [3, 4], "top_k": 20})");
  write("tokenizer_config.json", R"({"chat_template": "{{ x }}"})");
  std::optional<CheckpointSource> source = open(folder.string());
  ASSERT_TRUE(source) << messages.str();
  ASSERT_TRUE(source->tensors);
  EXPECT_TRUE(source->spec.tiedEmbedding);
  EXPECT_EQ(source->tensors->size(), 13u);
  EXPECT_EQ(source->tokenizerPath, (folder / "tokenizer.json").string());
  EXPECT_EQ(source->generation.eosTokenIds, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(source->generation.topK, 20);
  EXPECT_EQ(source->chatTemplate, "{{ x }}");
  EXPECT_FALSE(source->gguf);
}

TEST_F(OpenModelTest, aTiedModelWithAHeadOfItsOwnIsUntied) {
  write("config.json", kConfig);
  write("model.safetensors",
        safetensors([](const std::string &) { return true; }));
  std::optional<CheckpointSource> source = open(folder.string());
  ASSERT_TRUE(source) << messages.str();
  EXPECT_FALSE(source->spec.tiedEmbedding);
}

TEST_F(OpenModelTest, shardsMakeOneIndex) {
  auto isMlp = [](const std::string &name) {
    return name.find(".mlp.") != std::string::npos;
  };
  write("config.json", kConfig);
  write("one.safetensors", safetensors(isMlp));
  write("two.safetensors", safetensors([&](const std::string &name) {
          return allButHead(name) && !isMlp(name);
        }));
  ModelSpec spec = *parseConfig(kConfig, "c", {}, diags);
  std::string map;
  for (const ExpectedTensor &tensor : expectedTensors(spec))
    map += (map.empty() ? "\"" : ",\"") + tensor.name + "\":\"" +
           (isMlp(tensor.name) ? "one" : "two") + ".safetensors\"";
  write("model.safetensors.index.json",
        "{\"metadata\":{\"total_size\":1},\"weight_map\":{" + map + "}}");
  std::optional<CheckpointSource> source = open(folder.string());
  ASSERT_TRUE(source) << messages.str();
  EXPECT_EQ(source->tensors->size(), 13u);
  std::set<std::string> files;
  for (const auto &entry : *source->tensors)
    files.insert(fs::path(entry.second.path).filename().string());
  EXPECT_EQ(files,
            (std::set<std::string>{"one.safetensors", "two.safetensors"}));
}

TEST_F(OpenModelTest, aBareConfigHasNoWeights) {
  write("config.json", kConfig);
  write("model.safetensors", "not read");
  std::optional<CheckpointSource> source =
      open((folder / "config.json").string());
  ASSERT_TRUE(source) << messages.str();
  EXPECT_FALSE(source->tensors);
  EXPECT_TRUE(source->tokenizerPath.empty());
  EXPECT_EQ(source->generation.eosTokenIds, std::vector<int64_t>{3});
}

TEST_F(OpenModelTest, aHubNameIsLookedUpInTheCache) {
  const fs::path model = "hub/models--Org--Model.1-x";
  write(model / "refs" / "main", "abc123\n");
  write(model / "snapshots" / "abc123" / "config.json", kConfig);
  std::optional<CheckpointSource> source =
      open("Org/Model.1-x", (folder / "hub").string());
  ASSERT_TRUE(source) << messages.str();
  EXPECT_EQ(source->spec.hiddenSize, 16);
  EXPECT_FALSE(open("Org/Other", (folder / "hub").string()));
  EXPECT_FALSE(open("../Model.1-x", (folder / "hub").string()));
  EXPECT_FALSE(open("Org/..", (folder / "hub").string()));
}

TEST_F(OpenModelTest, aReferenceCannotLeaveTheSnapshots) {
  const fs::path model = "hub/models--Org--Model";
  write(model / "refs" / "main", "../outside");
  write(model / "outside" / "config.json", kConfig);
  fs::create_directories(folder / model / "snapshots");
  EXPECT_FALSE(open("Org/Model", (folder / "hub").string()));
}

TEST_F(OpenModelTest, chatTemplateFormsInOrderOfPreference) {
  write("config.json", kConfig);
  write("tokenizer_config.json",
        R"({"chat_template": [{"name": "tool_use", "template": "T"},
                              {"name": "default", "template": "D"}]})");
  EXPECT_EQ(open(folder.string())->chatTemplate, "D");
  write("chat_template.jinja", "J\n");
  EXPECT_EQ(open(folder.string())->chatTemplate, "J\n");
}

} // namespace
} // namespace qwen
