// ModelText.cpp - spec and generation values as JSON.
#include "tools/qwenc/ModelText.h"

#include "tools/qwenc/bits/Bits.h"

#include <filesystem>
#include <nlohmann/json.hpp>

namespace qwen {
namespace {

using nlohmann::ordered_json;

ordered_json specJson(const ModelSpec &spec) {
  return {{"architecture", spec.architecture},
          {"hidden_size", spec.hiddenSize},
          {"intermediate_size", spec.ffnSize},
          {"num_hidden_layers", spec.layers},
          {"num_attention_heads", spec.queryHeads},
          {"num_key_value_heads", spec.keyValueHeads},
          {"head_dim", spec.headWidth},
          {"vocab_size", spec.vocabSize},
          {"max_position_embeddings", spec.maxPositions},
          {"rope_theta", spec.ropeTheta},
          {"rms_norm_eps", spec.rmsNormEps},
          {"qkv_bias", spec.qkvBias},
          {"qk_norm", spec.qkNorm},
          {"tie_word_embeddings", spec.tiedEmbedding}};
}

/// Text from outside may hold any bytes; what is no UTF-8 is replaced.
std::string dump(const ordered_json &value, int indent) {
  return value.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

/// A hub name stays as it is.
std::string modelPath(const std::string &model) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::canonical(model, error);
  return error ? model : path.string();
}

} // namespace

std::string specText(const ModelSpec &spec) {
  return dump(specJson(spec), 2) + "\n";
}

std::string generationText(const CheckpointSource &model) {
  ordered_json text = ordered_json::object();
  const GenerationConfig &generation = model.generation;
  text["stop_ids"] = generation.eosTokenIds;
  auto put = [&](const char *key, const auto &value) {
    if (value)
      text[key] = *value;
  };
  // Greedy search is what HF does unless a config asks for sampling.
  if (generation.doSample.value_or(false)) {
    put("temperature", generation.temperature);
    put("top_k", generation.topK);
    put("top_p", generation.topP);
    put("min_p", generation.minP);
  } else if (generation.doSample) {
    text["temperature"] = 0.0;
  }
  put("repetition_penalty", generation.repetitionPenalty);
  if (!model.chatTemplate.empty())
    text["chat_template"] = model.chatTemplate;
  return dump(text, -1);
}

std::string descriptionText(const CheckpointSource &model,
                            const CompileOptions &options,
                            const std::vector<std::string> &kernels,
                            const std::string &check) {
  ordered_json text = {{"spec", specJson(model.spec)},
                       {"format", options.pipeline.format},
                       {"activations", options.pipeline.activations},
                       {"cache_type", options.cacheType},
                       {"screened_head", options.pipeline.screenedHead},
                       {"disabled_passes", options.pipeline.disabledPasses},
                       {"model", modelPath(options.model)},
                       {"target", options.pipeline.target},
                       {"taps", options.pipeline.taps},
                       {"chunk_bytes", options.pipeline.chunkBytes},
                       {"attention_rows", options.pipeline.attentionRows},
                       {"kv_split", options.pipeline.kvSplit},
                       {"barrier_spin_us", options.barrierSpinUs},
                       {"kernels", kernels}};
  if (options.requantised && !options.requantised->description.empty())
    text["bits"] = ordered_json::parse(options.requantised->description);
  if (!check.empty())
    text["check"] = ordered_json::parse(check);
  return dump(text, -1);
}

} // namespace qwen
