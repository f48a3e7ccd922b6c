// Model.cpp - the whole step: embedding, layers, final norm, head, greedy
// token.
//
// Source  HF Qwen2ForCausalLM, Qwen3ForCausalLM
#include "frontend/model/GraphBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace qwen {
namespace {

/// Logits and greedy tokens of rows first .. T - 1.
std::pair<Value, Value> buildModel(GraphBuilder &graph, Value ids,
                                   Value first) {
  const ModelSpec &spec = graph.spec;
  OpBuilder &builder = graph.builder;
  constexpr std::string_view kVocabKey = "vocab_size";

  auto tableType = ir::WeightType::get(builder.getContext(),
                                       {graph.cachePositions(), spec.headWidth},
                                       "f32", "rope");
  graph.ropeTable = ir::RopeTableOp::create(
      builder, graph.at("model.rotary_emb", "rope_theta"), tableType,
      builder.getF64FloatAttr(spec.ropeTheta));

  Value embedding = graph.matrix("model.embed_tokens.weight", spec.vocabSize,
                                 spec.hiddenSize, kVocabKey);
  Value x = ir::EmbeddingOp::create(
      builder, graph.at("model.embed_tokens", kVocabKey),
      graph.rows(spec.hiddenSize), ids, embedding);
  for (int64_t layer = 0; layer < spec.layers; ++layer) {
    x = buildAttention(graph, layer, x);
    x = buildMlp(graph, layer, x);
  }
  x = ir::TailOp::create(builder, graph.at("model.tail", "hidden_size"),
                         x.getType(), x, first);
  x = graph.norm("model.norm", x);

  Value head = spec.tiedEmbedding
                   ? embedding
                   : graph.matrix("lm_head.weight", spec.vocabSize,
                                  spec.hiddenSize, kVocabKey);
  Value logits = ir::LinearOp::create(builder, graph.at("lm_head", kVocabKey),
                                      graph.rows(spec.vocabSize), x, head,
                                      Value(), Value());
  int64_t eligible = graph.options.vocabEligible > 0
                         ? graph.options.vocabEligible
                         : spec.vocabSize;
  Value tokens = ir::ArgmaxOp::create(builder, graph.at("argmax", kVocabKey),
                                      ids.getType(), logits,
                                      builder.getI64IntegerAttr(eligible));
  return {logits, tokens};
}

} // namespace

OwningOpRef<ModuleOp> importModel(MLIRContext &context, const ModelSpec &spec,
                                  const TensorIndex *index,
                                  const ImportOptions &options) {
  context.loadDialect<func::FuncDialect, ir::QwenDialect>();
  GraphBuilder graph(&context, spec, index, options);
  OpBuilder &builder = graph.builder;
  Location place = graph.at("model", "model_type");
  OwningOpRef<ModuleOp> module = ModuleOp::create(place);
  builder.setInsertionPointToEnd(module->getBody());

  auto idsType =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  Type index64 = builder.getIndexType();
  auto step = func::FuncOp::create(
      builder, place, "step",
      builder.getFunctionType({idsType, index64, index64},
                              {graph.rows(spec.vocabSize), idsType}));
  Block *body = step.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  graph.position = body->getArgument(1);
  auto [logits, tokens] =
      buildModel(graph, body->getArgument(0), body->getArgument(2));
  func::ReturnOp::create(builder, place, ValueRange{logits, tokens});
  if (graph.failed || failed(verify(*module)))
    return nullptr;
  return module;
}

} // namespace qwen
