// ImportModelTest.cpp - locations, stored types and refusals of the import; its
// ops are tested in tests/lit/frontend/model.
// Run: build/bin/unit_frontend_model
#include "frontend/model/ImportModel.h"

#include "passes/ir/QwenOps.h"

#include "mlir/IR/Diagnostics.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

ModelSpec tinySpec() {
  ModelSpec spec;
  spec.architecture = "qwen2";
  spec.hiddenSize = 64;
  spec.ffnSize = 96;
  spec.layers = 2;
  spec.queryHeads = 4;
  spec.keyValueHeads = 2;
  spec.headWidth = 16;
  spec.vocabSize = 384;
  spec.maxPositions = 256;
  spec.ropeTheta = 1e6;
  spec.rmsNormEps = 1e-6;
  spec.qkvBias = true;
  spec.tiedEmbedding = true;
  spec.positions["num_key_value_heads"] = {"config.json", 9, 3};
  spec.positions["vocab_size"] = {"model.gguf", 0, 0};
  return spec;
}

/// Every tensor that the spec asks for, as bf16.
TensorIndex tinyIndex() {
  TensorIndex index;
  auto add = [&](const std::string &name, std::vector<int64_t> shape) {
    StoredTensor tensor;
    tensor.name = name;
    tensor.shape = std::move(shape);
    tensor.storedType = "bf16";
    index[name] = tensor;
  };
  add("model.embed_tokens.weight", {384, 64});
  add("model.norm.weight", {64});
  for (int layer = 0; layer < 2; ++layer) {
    std::string block = "model.layers." + std::to_string(layer) + ".";
    add(block + "input_layernorm.weight", {64});
    add(block + "post_attention_layernorm.weight", {64});
    for (auto [letter, rows] : {std::pair{"q", 64}, {"k", 32}, {"v", 32}}) {
      std::string module = block + "self_attn." + letter + "_proj.";
      add(module + "weight", {rows, 64});
      add(module + "bias", {rows});
    }
    add(block + "self_attn.o_proj.weight", {64, 64});
    add(block + "mlp.gate_proj.weight", {96, 64});
    add(block + "mlp.up_proj.weight", {96, 64});
    add(block + "mlp.down_proj.weight", {64, 96});
  }
  return index;
}

class ImportModel : public testing::Test {
protected:
  ImportModel() {
    context.getDiagEngine().registerHandler(
        [this](mlir::Diagnostic &diagnostic) {
          said += diagnostic.str() + "\n";
          if (saidAt.empty())
            saidAt = ir::nameOf(diagnostic.getLocation()).str();
        });
  }

  mlir::OwningOpRef<mlir::ModuleOp> import(const TensorIndex *index,
                                           int64_t eligible = 0) {
    return importModel(context, spec, index, {100, "f16", eligible});
  }

  template <typename Op>
  static std::vector<Op> all(mlir::OwningOpRef<mlir::ModuleOp> &module) {
    std::vector<Op> found;
    module->walk([&](Op op) { found.push_back(op); });
    return found;
  }

  ModelSpec spec = tinySpec();
  std::string said, saidAt;
  mlir::MLIRContext context;
};

TEST_F(ImportModel, NamesEveryOpOnce) {
  auto module = import(nullptr);
  ASSERT_TRUE(module) << said;
  std::set<std::string> names;
  module->walk([&](mlir::Operation *op) {
    if (op->getNumResults() == 0)
      return;
    std::string name = ir::nameOf(op->getLoc()).str();
    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(names.insert(name).second) << name;
  });
  for (const char *name :
       {"model.embed_tokens", "model.layers.1.input_layernorm",
        "model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.q_rope",
        "model.layers.1.self_attn.keys", "model.layers.1.self_attn.attention",
        "model.layers.1.self_attn.residual", "model.layers.1.mlp",
        "model.layers.1.mlp.down_proj", "model.layers.1", "model.norm",
        "lm_head", "model.layers.1.self_attn.k_proj.bias"})
    EXPECT_TRUE(names.count(name)) << name;
}

TEST_F(ImportModel, LocationsPointAtTheConfigKey) {
  auto module = import(nullptr);
  ASSERT_TRUE(module) << said;
  for (auto op : all<ir::KeyAppendOp>(module)) {
    auto place = mlir::dyn_cast<mlir::FileLineColLoc>(
        mlir::cast<mlir::NameLoc>(op.getLoc()).getChildLoc());
    ASSERT_TRUE(place);
    EXPECT_EQ(place.getFilename().str(), "config.json");
    EXPECT_EQ(place.getLine(), 9u);
    EXPECT_EQ(place.getColumn(), 3u);
  }
  // A key without a line, as in a GGUF, leaves the name.
  auto embedding = all<ir::EmbeddingOp>(module).at(0);
  EXPECT_TRUE(mlir::isa<mlir::UnknownLoc>(
      mlir::cast<mlir::NameLoc>(embedding.getLoc()).getChildLoc()));
}

TEST_F(ImportModel, MatricesKeepTheirStoredTypeAndVectorsAreF32) {
  TensorIndex index = tinyIndex();
  index["model.layers.1.mlp.up_proj.weight"].storedType = "q5_0";
  auto module = import(&index);
  ASSERT_TRUE(module) << said;
  std::map<std::string, ir::WeightType> types;
  for (auto op : all<ir::WeightOp>(module))
    types.emplace(op.getName().str(), op.getResult().getType());
  EXPECT_EQ(types.size(), index.size());
  EXPECT_EQ(types.at("model.layers.1.mlp.up_proj.weight").getFormat(), "q5_0");
  EXPECT_EQ(types.at("model.layers.0.mlp.up_proj.weight").getFormat(), "bf16");
  EXPECT_TRUE(types.at("model.layers.0.mlp.up_proj.weight").isStored());
  EXPECT_EQ(types.at("model.norm.weight").getFormat(), "f32");
  EXPECT_TRUE(types.at("model.norm.weight").isVector());
}

TEST_F(ImportModel, MissingTensorsAreRefused) {
  TensorIndex index = tinyIndex();
  index.erase("model.layers.1.self_attn.v_proj.bias");
  EXPECT_FALSE(import(&index));
  EXPECT_EQ(said, "the checkpoint has no tensor "
                  "`model.layers.1.self_attn.v_proj.bias`\n");
  EXPECT_EQ(saidAt, "model.layers.1.self_attn.v_proj.bias");
}

TEST_F(ImportModel, TensorsOfAnotherShapeAreRefused) {
  TensorIndex index = tinyIndex();
  index["model.layers.0.mlp.down_proj.weight"].shape = {96, 64};
  EXPECT_FALSE(import(&index));
  EXPECT_EQ(said, "`model.layers.0.mlp.down_proj.weight` is [96, 64]; the "
                  "config asks for [64, 96]\n");
}

TEST_F(ImportModel, PaddingRowsAreNotEligible) {
  auto module = import(nullptr, 377);
  ASSERT_TRUE(module) << said;
  EXPECT_EQ(all<ir::ArgmaxOp>(module).at(0).getEligible(), 377);
}

TEST_F(ImportModel, CachesHoldWholeBlocksOfPositions) {
  auto module = import(nullptr);
  ASSERT_TRUE(module) << said;
  auto caches = all<ir::CacheOp>(module);
  ASSERT_EQ(caches.size(), 4u);
  for (ir::CacheOp cache : caches)
    EXPECT_EQ(cache.getResult().getType(),
              ir::CacheType::get(&context, {128, 2, 16}, "f16"));
}

} // namespace
} // namespace qwen
