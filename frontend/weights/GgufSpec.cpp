// GgufSpec.cpp - the keys of a GGUF's architecture: read, refused, or known not
// to matter.
#include "frontend/weights/GgufSpec.h"

#include "frontend/config/Architecture.h"
#include "frontend/config/CheckSpec.h"

#include <algorithm>
#include <set>

namespace qwen {
namespace {

/// Groups of keys that cannot change the logits; `general.alignment` is read by
/// the header parser.
constexpr std::string_view kNeutralPrefixes[] = {
    "general.",
    "quantize.",
    "tokenizer.",
};

class SpecReader {
public:
  SpecReader(const GgufHeader &header,
             const std::vector<std::string> &ignoredKeys, Diagnostics &diags)
      : metadata(header.metadata), tensors(header.tensors),
        ignoredKeys(ignoredKeys), diags(diags) {}

  std::optional<ModelSpec> read() {
    const std::string *name = metadata.text("general.architecture");
    if (!name)
      return diags.error(diag::GgufKeyMissing, at(), "general.architecture");
    const Architecture *architecture = findArchitecture(*name);
    if (!architecture)
      return diags.error(diag::GgufArchitecture, at(), *name,
                         architectureNames());
    prefix = *name + ".";
    spec.architecture = *name;
    spec.qkvBias = architecture->qkvBias;
    spec.qkNorm = architecture->qkNorm;

    integer("embedding_length", "hidden_size", spec.hiddenSize);
    integer("feed_forward_length", "intermediate_size", spec.ffnSize);
    integer("block_count", "num_hidden_layers", spec.layers);
    integer("attention.head_count", "num_attention_heads", spec.queryHeads);
    spec.keyValueHeads = spec.queryHeads;
    if (present("attention.head_count_kv"))
      integer("attention.head_count_kv", "num_key_value_heads",
              spec.keyValueHeads);
    integer("context_length", "max_position_embeddings", spec.maxPositions);
    real("rope.freq_base", "rope_theta", spec.ropeTheta);
    real("attention.layer_norm_rms_epsilon", "rms_norm_eps", spec.rmsNormEps);
    readHeadWidth();
    readVocabulary();
    refuseOthers();
    if (diags.errorCount() > errorsBefore || !checkSpec(spec, diags))
      return std::nullopt;
    return std::move(spec);
  }

private:
  SourcePosition at() const { return {metadata.path}; }

  bool isIgnored(std::string_view key) const {
    return std::find(ignoredKeys.begin(), ignoredKeys.end(), key) !=
           ignoredKeys.end();
  }

  bool present(const std::string &key) const {
    return metadata.has(prefix + key) && !isIgnored(prefix + key);
  }

  /// Counts as read from then on; false when absent, which is an error.
  bool require(const std::string &key, const char *hfKey) {
    known.insert(prefix + key);
    spec.positions[hfKey] = at();
    if (present(key))
      return true;
    diags.error(diag::GgufKeyMissing, at(), prefix + key);
    return false;
  }

  void integer(const std::string &key, const char *hfKey, int64_t &out) {
    if (!require(key, hfKey))
      return;
    if (const int64_t *value = metadata.integer(prefix + key))
      out = *value;
    else
      diags.error(diag::GgufWrongType, at(), prefix + key, "an integer");
  }

  void real(const std::string &key, const char *hfKey, double &out) {
    if (!require(key, hfKey))
      return;
    if (const double *value = metadata.real(prefix + key))
      out = *value;
    else
      diags.error(diag::GgufWrongType, at(), prefix + key, "a float");
  }

  void readHeadWidth() {
    if (present("attention.key_length")) {
      integer("attention.key_length", "head_dim", spec.headWidth);
    } else if (spec.queryHeads > 0 && spec.hiddenSize > 0) {
      if (spec.hiddenSize % spec.queryHeads != 0)
        diags.error(diag::ConfigWidthNotDivisible, at(), spec.hiddenSize,
                    spec.queryHeads);
      spec.headWidth = spec.hiddenSize / spec.queryHeads;
    } else {
      spec.headWidth = 2; // the range of those two is reported
    }
    spec.positions["head_dim"] = at();
    // Both name the same width, and RoPE covers all of it.
    sameAs("attention.value_length", spec.headWidth);
    sameAs("rope.dimension_count", spec.headWidth);
  }

  /// An optional key that may only repeat what is known.
  void sameAs(const std::string &key, int64_t expected) {
    known.insert(prefix + key);
    if (!present(key))
      return;
    const int64_t *value = metadata.integer(prefix + key);
    if (!value)
      diags.error(diag::GgufWrongType, at(), prefix + key, "an integer");
    else if (*value != expected)
      diags.error(diag::GgufMustEqual, at(), prefix + key, *value, expected);
  }

  void readVocabulary() {
    auto embedding = tensors.find("model.embed_tokens.weight");
    if (embedding == tensors.end() || embedding->second.shape.size() != 2) {
      diags.error(diag::GgufNoEmbedding, at());
      return;
    }
    spec.vocabSize = embedding->second.shape[0];
    spec.positions["vocab_size"] = at();
    spec.tiedEmbedding = !tensors.count("lm_head.weight");
    sameAs("vocab_size", spec.vocabSize);
  }

  void refuseOthers() {
    sameAs("expert_count", 0);
    sameAs("expert_used_count", 0);
    known.insert(prefix + "rope.scaling.type");
    if (present("rope.scaling.type")) {
      const std::string *type = metadata.text(prefix + "rope.scaling.type");
      if (!type || *type != "none")
        diags.error(diag::GgufRopeScaling, at(), prefix + "rope.scaling.type",
                    type ? *type : "no text");
    }
    for (const auto &entry : metadata.values) {
      const std::string &key = entry.first;
      bool neutral = std::any_of(
          std::begin(kNeutralPrefixes), std::end(kNeutralPrefixes),
          [&](std::string_view start) { return key.starts_with(start); });
      if (!neutral && !known.count(key) && !isIgnored(key))
        diags.error(diag::ConfigUnknownKey, at(), key);
    }
  }

  const GgufMetadata &metadata;
  const TensorIndex &tensors;
  const std::vector<std::string> &ignoredKeys;
  Diagnostics &diags;
  const int64_t errorsBefore = diags.errorCount();
  std::string prefix; // "qwen2."
  std::set<std::string> known;
  ModelSpec spec;
};

std::optional<int64_t> tokenId(const GgufMetadata &metadata,
                               std::string_view key) {
  const int64_t *id = metadata.integer(key);
  if (!id || *id < 0 || *id > INT32_MAX)
    return std::nullopt;
  return *id;
}

} // namespace

std::optional<ModelSpec>
specFromGguf(const GgufHeader &header,
             const std::vector<std::string> &ignoredKeys, Diagnostics &diags) {
  return SpecReader(header, ignoredKeys, diags).read();
}

GenerationConfig generationFromGguf(const GgufMetadata &metadata) {
  GenerationConfig config;
  for (const char *key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    std::optional<int64_t> id = tokenId(metadata, key);
    if (id && std::find(config.eosTokenIds.begin(), config.eosTokenIds.end(),
                        *id) == config.eosTokenIds.end())
      config.eosTokenIds.push_back(*id);
  }
  config.bosTokenId = tokenId(metadata, "tokenizer.ggml.bos_token_id");
  config.padTokenId = tokenId(metadata, "tokenizer.ggml.padding_token_id");
  return config;
}

} // namespace qwen
