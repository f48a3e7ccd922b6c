// Attention.cpp - the attention block of a layer.
//
// Shapes  x [T, D], q [T, H·C], keys and values [S, G, C]
// Source  HF Qwen2Attention, Qwen3Attention
#include "frontend/model/GraphBuilder.h"

using namespace mlir;

namespace qwen {
namespace {

/// The layer's keys or values as the previous step left them.
Value buildCache(GraphBuilder &graph, int64_t layer, ir::CacheKind kind,
                 const std::string &name) {
  const ModelSpec &spec = graph.spec;
  MLIRContext *context = graph.builder.getContext();
  auto type = ir::CacheType::get(
      context, {graph.cachePositions(), spec.keyValueHeads, spec.headWidth},
      graph.options.cacheType);
  return ir::CacheOp::create(graph.builder,
                             graph.at(name, "num_key_value_heads"), type,
                             graph.builder.getI64IntegerAttr(layer),
                             ir::CacheKindAttr::get(context, kind));
}

/// The q or k projection of x, normalised by head if the model does so,
/// rotated.
Value buildRotated(GraphBuilder &graph, const std::string &attention,
                   const std::string &letter, Value x, int64_t heads,
                   std::string_view configKey) {
  const ModelSpec &spec = graph.spec;
  Value y = graph.linear(attention + letter + "_proj", x,
                         heads * spec.headWidth, spec.qkvBias, configKey);
  if (spec.qkNorm)
    y = graph.norm(attention + letter + "_norm", y, heads);
  return ir::RopeOp::create(
      graph.builder, graph.at(attention + letter + "_rope", "rope_theta"),
      y.getType(), y, graph.ropeTable, graph.position,
      graph.builder.getI64IntegerAttr(heads));
}

} // namespace

Value buildAttention(GraphBuilder &graph, int64_t layer, Value x) {
  const ModelSpec &spec = graph.spec;
  OpBuilder &builder = graph.builder;
  std::string block = "model.layers." + std::to_string(layer) + ".";
  std::string attention = block + "self_attn.";
  constexpr std::string_view kQueryKey = "num_attention_heads";
  constexpr std::string_view kKeyValueKey = "num_key_value_heads";

  Value normed = graph.norm(block + "input_layernorm", x);
  Value q =
      buildRotated(graph, attention, "q", normed, spec.queryHeads, kQueryKey);
  Value k = buildRotated(graph, attention, "k", normed, spec.keyValueHeads,
                         kKeyValueKey);
  Value v = graph.linear(attention + "v_proj", normed,
                         spec.keyValueHeads * spec.headWidth, spec.qkvBias,
                         kKeyValueKey);

  Value keys =
      buildCache(graph, layer, ir::CacheKind::Key, attention + "key_cache");
  keys = ir::KeyAppendOp::create(builder,
                                 graph.at(attention + "keys", kKeyValueKey),
                                 keys.getType(), keys, k, graph.position);
  Value values =
      buildCache(graph, layer, ir::CacheKind::Value, attention + "value_cache");
  values = ir::ValueAppendOp::create(
      builder, graph.at(attention + "values", kKeyValueKey), values.getType(),
      values, v, graph.position);

  Value y = ir::AttentionOp::create(
      builder, graph.at(attention + "attention", kQueryKey), q.getType(), q,
      keys, values, graph.position, builder.getI64IntegerAttr(spec.queryHeads));
  Value o = graph.linear(attention + "o_proj", y, spec.hiddenSize, false,
                         "hidden_size");
  return graph.add(attention + "residual", x, o);
}

} // namespace qwen
