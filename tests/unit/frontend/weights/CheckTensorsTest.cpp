// ninja unit_frontend_weights && bin/unit_frontend_weights
// --gtest_filter='CheckTensors*'
#include "frontend/weights/CheckTensors.h"
#include "frontend/config/CheckSpec.h"

#include "gtest/gtest.h"

#include <sstream>

namespace qwen {
namespace {

ModelSpec smallSpec() {
  ModelSpec spec;
  spec.architecture = "qwen2";
  spec.hiddenSize = 96;
  spec.ffnSize = 160;
  spec.layers = 2;
  spec.queryHeads = 4;
  spec.keyValueHeads = 2;
  spec.headWidth = 32;
  spec.vocabSize = 100;
  spec.maxPositions = 64;
  spec.ropeTheta = 1e6;
  spec.rmsNormEps = 1e-6;
  spec.qkvBias = true;
  return spec;
}

TensorIndex indexOf(const ModelSpec &spec) {
  TensorIndex index;
  for (const ExpectedTensor &tensor : expectedTensors(spec))
    index[tensor.name] = {.name = tensor.name,
                          .fileName = tensor.name,
                          .shape = tensor.shape,
                          .storedType = "bf16",
                          .path = "m",
                          .offsetBytes = 0,
                          .sizeBytes = 0};
  return index;
}

class CheckTensorsTest : public testing::Test {
protected:
  bool check(const ModelSpec &spec, const TensorIndex &index) {
    messages.str("");
    return checkTensors(spec, index, diags);
  }

  ModelSpec spec = smallSpec();
  std::ostringstream messages;
  Diagnostics diags{messages};
};

TEST_F(CheckTensorsTest, theListHoldsExactlyTheParametersOfTheModel) {
  for (bool bias : {false, true})
    for (bool norm : {false, true})
      for (bool tied : {false, true}) {
        spec.qkvBias = bias;
        spec.qkNorm = norm;
        spec.tiedEmbedding = tied;
        int64_t elements = 0;
        for (const ExpectedTensor &tensor : expectedTensors(spec)) {
          int64_t count = 1;
          for (int64_t dimension : tensor.shape)
            count *= dimension;
          elements += count;
        }
        EXPECT_EQ(elements, countParameters(spec));
        EXPECT_TRUE(check(spec, indexOf(spec))) << messages.str();
      }
}

TEST_F(CheckTensorsTest, aWrongShapeShowsBothShapes) {
  TensorIndex index = indexOf(spec);
  index["model.layers.1.mlp.up_proj.weight"].shape = {160, 95};
  EXPECT_FALSE(check(spec, index));
  EXPECT_EQ(messages.str(),
            "m: error: `model.layers.1.mlp.up_proj.weight` is bf16 [160, 95]; "
            "the config asks for [160, 96]\n");
}

TEST_F(CheckTensorsTest, missingAndUnknownTensorsAreNamed) {
  TensorIndex index = indexOf(spec);
  index.erase("lm_head.weight");
  index["model.layers.0.self_attn.o_proj.bias"] = index.begin()->second;
  EXPECT_FALSE(check(spec, index));
  std::vector<std::string> ids(diags.ids().begin(), diags.ids().end());
  EXPECT_EQ(ids, (std::vector<std::string>{"TensorMissing", "TensorUnknown"}));
}

TEST_F(CheckTensorsTest, matricesMayBeQuantisedVectorsMayNot) {
  TensorIndex index = indexOf(spec);
  index["lm_head.weight"].storedType = "q8_0";
  EXPECT_TRUE(check(spec, index)) << messages.str();
  index["model.norm.weight"].storedType = "q8_0";
  EXPECT_FALSE(check(spec, index));
}

TEST_F(CheckTensorsTest, aLongListIsCut) {
  EXPECT_FALSE(check(spec, {}));
  EXPECT_EQ(diags.errorCount(), 11);
  EXPECT_STREQ(diags.ids().back(), "TensorMore");
}

} // namespace
} // namespace qwen
