// ReadConfig.cpp - the keys of config.json: read, refused, or known not to
// matter.
#include "frontend/config/ReadConfig.h"

#include "frontend/config/Architecture.h"
#include "frontend/config/CheckSpec.h"
#include "frontend/diag/Json.h"

#include <algorithm>
#include <set>

namespace qwen {
namespace {

/// Keys of a published config that cannot change the logits of a plain forward
/// pass: training, bookkeeping, defaults of text generation, and window
/// settings that `use_sliding_window` switches off.
constexpr std::string_view kNeutralKeys[] = {
    "_attn_implementation_autoset",
    "_name_or_path",
    "attention_dropout",
    "auto_map",
    "bos_token_id",
    "chunk_size_feed_forward",
    "do_sample",
    "dtype",
    "eos_token_id",
    "id2label",
    "initializer_range",
    "label2id",
    "max_length",
    "max_window_layers",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "problem_type",
    "repetition_penalty",
    "return_dict",
    "sliding_window",
    "temperature",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "use_cache",
};

class ConfigReader {
public:
  ConfigReader(const JsonValue &root, const std::string &file,
               const ReadConfigOptions &options, Diagnostics &diags)
      : root(root), file(file), options(options), diags(diags) {}

  std::optional<ModelSpec> read() {
    if (!root.object())
      return diags.error(diag::JsonNotObject, root.position(file),
                         root.describe());
    const Architecture *architecture = readArchitecture();
    // The rules of an unknown family are not known either.
    if (!architecture)
      return std::nullopt;
    spec.architecture = architecture->name;
    spec.qkvBias = architecture->qkvBias;
    spec.qkNorm = architecture->qkNorm;

    integer("hidden_size", spec.hiddenSize);
    integer("intermediate_size", spec.ffnSize);
    integer("num_hidden_layers", spec.layers);
    integer("num_attention_heads", spec.queryHeads);
    if (isNull("num_key_value_heads") && take("num_key_value_heads"))
      spec.keyValueHeads = spec.queryHeads;
    else
      integer("num_key_value_heads", spec.keyValueHeads);
    integer("vocab_size", spec.vocabSize);
    integer("max_position_embeddings", spec.maxPositions);
    real("rms_norm_eps", spec.rmsNormEps);
    boolean("tie_word_embeddings", spec.tiedEmbedding);
    readRope();
    readHeadWidth(*architecture);
    refuseUnsupported(*architecture);
    refuseUnknown();
    if (diags.errorCount() > errorsBefore || !checkSpec(spec, diags))
      return std::nullopt;
    return std::move(spec);
  }

private:
  bool isIgnored(std::string_view key) const {
    return std::find(options.ignoredKeys.begin(), options.ignoredKeys.end(),
                     key) != options.ignoredKeys.end();
  }

  bool isNull(std::string_view key) const {
    const JsonValue *value = root.find(key);
    return value && value->isNull();
  }

  /// The value of `key`, which counts as read from then on; null when absent.
  const JsonValue *take(const std::string &key) {
    known.insert(key);
    if (isIgnored(key))
      return nullptr;
    const JsonValue *value = root.find(key);
    if (value)
      spec.positions[key] = value->position(file);
    return value;
  }

  const JsonValue *require(const std::string &key) {
    const JsonValue *value = take(key);
    if (!value)
      diags.error(diag::ConfigKeyMissing, {file}, key);
    return value;
  }

  void wrongType(const std::string &key, const JsonValue &value,
                 std::string_view expected) {
    diags.error(diag::ConfigWrongType, value.position(file), key,
                value.describe(), expected);
  }

  void integer(const std::string &key, int64_t &out) {
    const JsonValue *value = require(key);
    if (!value)
      return;
    if (const int64_t *number = value->integer())
      out = *number;
    else
      wrongType(key, *value, "an integer");
  }

  void real(const std::string &key, double &out) {
    const JsonValue *value = require(key);
    if (!value)
      return;
    if (std::optional<double> number = value->number())
      out = *number;
    else
      wrongType(key, *value, "a number");
  }

  // An absent boolean keeps its default, as in HF.
  void boolean(const std::string &key, bool &out) {
    const JsonValue *value = take(key);
    if (!value)
      return;
    if (const bool *flag = value->boolean())
      out = *flag;
    else
      wrongType(key, *value, "true or false");
  }

  const Architecture *readArchitecture() {
    const Architecture *architecture = nullptr;
    if (const JsonValue *type = require("model_type")) {
      const std::string *name = type->text();
      if (!name) {
        wrongType("model_type", *type, "a string");
        return nullptr;
      }
      architecture = findArchitecture(*name);
      if (!architecture)
        diags.error(diag::ConfigUnknownModelType, type->position(file), *name,
                    architectureNames());
    }
    const JsonValue *classes = take("architectures");
    if (!architecture || !classes || classes->isNull())
      return architecture;
    const JsonValue::Array *list = classes->array();
    if (!list) {
      wrongType("architectures", *classes, "a list");
      return architecture;
    }
    for (const JsonValue &entry : *list)
      if (!entry.text() || *entry.text() != architecture->causalClass)
        diags.error(diag::ConfigWrongClass, entry.position(file),
                    entry.describe(), architecture->name,
                    architecture->causalClass);
    return architecture;
  }

  // The base and the kind of RoPE, in either spelling: `rope_theta` and
  // `rope_scaling`, or both inside `rope_parameters`.
  void readRope() {
    const JsonValue *parameters = take("rope_parameters");
    const JsonValue *scaling = take("rope_scaling");
    const JsonValue *theta = nullptr;
    if (parameters && !parameters->isNull())
      theta = readRopeObject("rope_parameters", *parameters);
    if (scaling && !scaling->isNull())
      if (const JsonValue *inner = readRopeObject("rope_scaling", *scaling))
        theta = inner;
    const JsonValue *outer = take("rope_theta");
    if (outer && theta && outer->number() && theta->number() &&
        *outer->number() != *theta->number()) {
      diags.error(diag::ConfigTwoValues, outer->position(file), "rope_theta",
                  *outer->number(), *theta->number());
      diags.note(diag::GivenHere, theta->position(file), "rope_theta");
    }
    if (!outer)
      outer = theta;
    if (!outer) {
      diags.error(diag::ConfigKeyMissing, {file}, "rope_theta");
      return;
    }
    spec.positions["rope_theta"] = outer->position(file);
    if (outer->number())
      spec.ropeTheta = *outer->number();
    else
      wrongType("rope_theta", *outer, "a number");
  }

  /// Refuses all but plain RoPE; the object's `rope_theta` or null.
  const JsonValue *readRopeObject(const char *name, const JsonValue &value) {
    const JsonValue::Object *members = value.object();
    if (!members) {
      wrongType(name, value, "an object");
      return nullptr;
    }
    const JsonValue *theta = nullptr;
    for (const JsonMember &member : *members) {
      const SourcePosition at = member.value.position(file);
      if (member.key == "rope_theta") {
        theta = &member.value;
      } else if (member.key == "rope_type" || member.key == "type") {
        const std::string *type = member.value.text();
        if (!type || *type != "default") {
          diags.error(diag::ConfigRopeType, at, name, member.value.describe());
          return nullptr; // its other keys belong to that kind
        }
      }
    }
    for (const JsonMember &member : *members)
      if (member.key != "rope_theta" && member.key != "rope_type" &&
          member.key != "type" && !isIgnored(member.key))
        unknown(member);
    return theta;
  }

  void readHeadWidth(const Architecture &architecture) {
    const JsonValue *value = take("head_dim");
    if (value && !value->isNull()) {
      integer("head_dim", spec.headWidth);
      return;
    }
    if (!architecture.headWidthFromModelSize) {
      diags.error(diag::ConfigKeyMissing, {file}, "head_dim");
      return;
    }
    if (spec.hiddenSize < 1 || spec.queryHeads < 1) {
      spec.headWidth = 2; // reported as the range of those two
      return;
    }
    if (spec.hiddenSize % spec.queryHeads != 0) {
      diags.error(diag::ConfigWidthNotDivisible, spec.positions["hidden_size"],
                  spec.hiddenSize, spec.queryHeads);
      diags.note(diag::GivenHere, spec.positions["num_attention_heads"],
                 "num_attention_heads");
    }
    spec.headWidth = spec.hiddenSize / spec.queryHeads;
    spec.positions["head_dim"] = spec.positions["hidden_size"];
  }

  void refuseUnsupported(const Architecture &architecture) {
    if (const JsonValue *act = take("hidden_act"))
      if (!act->text() || *act->text() != "silu")
        diags.error(diag::ConfigHiddenAct, act->position(file),
                    act->describe());
    refuseTrue("use_sliding_window",
               "sliding-window attention is not supported");
    bool bias = architecture.qkvBias;
    boolean("attention_bias", bias);
    if (bias != architecture.qkvBias)
      diags.error(diag::ConfigAttentionBias, spec.positions["attention_bias"],
                  bias ? "true" : "false", architecture.name,
                  architecture.qkvBias ? "true" : "false");
    if (const JsonValue *quantization = take("quantization_config"))
      if (!quantization->isNull()) {
        const JsonValue *method = quantization->find("quant_method");
        diags.error(diag::ConfigQuantization, quantization->position(file),
                    method ? method->describe() : quantization->describe());
      }
    refuseTrue("is_encoder_decoder", "only decoders are supported");
    refuseTrue("use_mrope", "multimodal RoPE is not supported");
    readLayerTypes();
  }

  void refuseTrue(const char *key, const char *why) {
    bool flag = false;
    boolean(key, flag);
    if (flag)
      diags.error(diag::ConfigFlag, spec.positions[key], key, why);
  }

  void readLayerTypes() {
    const JsonValue *types = take("layer_types");
    if (!types || types->isNull())
      return;
    const JsonValue::Array *list = types->array();
    if (!list) {
      wrongType("layer_types", *types, "a list");
      return;
    }
    if (int64_t(list->size()) != spec.layers)
      diags.error(diag::ConfigLayerTypeCount, types->position(file),
                  int64_t(list->size()), spec.layers);
    int64_t layer = 0;
    for (const JsonValue &entry : *list) {
      if (!entry.text() || *entry.text() != "full_attention") {
        diags.error(diag::ConfigLayerType, entry.position(file), layer,
                    entry.describe());
        return; // one is enough
      }
      ++layer;
    }
  }

  void unknown(const JsonMember &member) {
    diags.error(diag::ConfigUnknownKey, {file, member.line, member.column},
                member.key);
  }

  void refuseUnknown() {
    for (const JsonMember &member : *root.object())
      if (!known.count(member.key) && !isIgnored(member.key) &&
          std::find(std::begin(kNeutralKeys), std::end(kNeutralKeys),
                    member.key) == std::end(kNeutralKeys))
        unknown(member);
  }

  const JsonValue &root;
  const std::string &file;
  const ReadConfigOptions &options;
  Diagnostics &diags;
  const int64_t errorsBefore = diags.errorCount();
  std::set<std::string, std::less<>> known;
  ModelSpec spec;
};

} // namespace

std::optional<ModelSpec> parseConfig(std::string_view text,
                                     const std::string &path,
                                     const ReadConfigOptions &options,
                                     Diagnostics &diags) {
  std::optional<JsonValue> root = parseJson(text, path, diags);
  if (!root)
    return std::nullopt;
  return ConfigReader(*root, path, options, diags).read();
}

std::optional<ModelSpec> readConfig(const std::string &path,
                                    const ReadConfigOptions &options,
                                    Diagnostics &diags) {
  std::optional<std::string> text = readTextFile(path, diags);
  if (!text)
    return std::nullopt;
  return parseConfig(*text, path, options, diags);
}

} // namespace qwen
