// Mlp.cpp - the feed-forward block of a layer.
//
// Shapes  x [T, D], gate and up [T, F]
// Source  HF Qwen2MLP, Qwen3MLP
#include "frontend/model/GraphBuilder.h"

using namespace mlir;

namespace qwen {

Value buildMlp(GraphBuilder &graph, int64_t layer, Value x) {
  const ModelSpec &spec = graph.spec;
  std::string block = "model.layers." + std::to_string(layer);
  std::string mlp = block + ".mlp";
  constexpr std::string_view kFfnKey = "intermediate_size";

  Value normed = graph.norm(block + ".post_attention_layernorm", x);
  Value gate =
      graph.linear(mlp + ".gate_proj", normed, spec.ffnSize, false, kFfnKey);
  Value up =
      graph.linear(mlp + ".up_proj", normed, spec.ffnSize, false, kFfnKey);
  Value y = ir::SwigluOp::create(graph.builder, graph.at(mlp, kFfnKey),
                                 gate.getType(), gate, up);
  Value down = graph.linear(mlp + ".down_proj", y, spec.hiddenSize, false,
                            "hidden_size");
  return graph.add(block, x, down);
}

} // namespace qwen
