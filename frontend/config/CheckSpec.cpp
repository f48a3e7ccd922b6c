// CheckSpec.cpp - range and divisibility rules of a model's shape.
#include "frontend/config/CheckSpec.h"

#include <cmath>

namespace qwen {
namespace {

class Checker {
public:
  Checker(const ModelSpec &spec, Diagnostics &diags)
      : spec(spec), diags(diags) {}

  void range(const char *key, int64_t value, int64_t largest) {
    if (value < 1 || value > largest)
      fail(diag::SpecRange, key, value, int64_t(1), largest);
  }

  void positive(const char *key, double value) {
    if (!(value > 0) || !std::isfinite(value))
      fail(diag::SpecNotPositive, key, value);
  }

  template <typename... Args, typename... Values>
  void fail(const Diag<diag::Text, Args...> &kind, const char *key,
            const Values &...values) {
    diags.error(kind, at(key), key, values...);
    good = false;
  }

  void seeAlso(const char *key) {
    if (spec.positions.count(key))
      diags.note(diag::GivenHere, at(key), key);
  }

  bool good = true;

private:
  SourcePosition at(const char *key) const {
    auto found = spec.positions.find(key);
    if (found != spec.positions.end())
      return found->second;
    auto any = spec.positions.begin();
    return {any == spec.positions.end() ? "" : any->second.file};
  }

  const ModelSpec &spec;
  Diagnostics &diags;
};

} // namespace

int64_t countParameters(const ModelSpec &spec) {
  // Called with unchecked fields too, so f64 is used to notice an overflow.
  auto width = double(spec.hiddenSize);
  auto queries = double(spec.queryHeads) * double(spec.headWidth);
  auto keys = double(spec.keyValueHeads) * double(spec.headWidth);
  auto ffn = double(spec.ffnSize);
  double layer = 2 * width * queries + 2 * width * keys + 3 * width * ffn +
                 2 * width + (spec.qkvBias ? queries + 2 * keys : 0) +
                 (spec.qkNorm ? 2 * double(spec.headWidth) : 0);
  double table = double(spec.vocabSize) * width;
  double total = double(spec.layers) * layer +
                 table * (spec.tiedEmbedding ? 1 : 2) + width;
  constexpr double kFirstTooLarge = 9223372036854775808.0;
  return total < kFirstTooLarge ? int64_t(total) : INT64_MAX;
}

bool checkSpec(const ModelSpec &spec, Diagnostics &diags) {
  Checker check(spec, diags);
  check.range("hidden_size", spec.hiddenSize, kLargestDimension);
  check.range("intermediate_size", spec.ffnSize, kLargestDimension);
  check.range("num_hidden_layers", spec.layers, kMostLayers);
  check.range("num_attention_heads", spec.queryHeads, kLargestDimension);
  check.range("num_key_value_heads", spec.keyValueHeads, kLargestDimension);
  check.range("head_dim", spec.headWidth, kLargestDimension);
  check.range("vocab_size", spec.vocabSize, kLargestDimension);
  check.range("max_position_embeddings", spec.maxPositions, kLargestPosition);
  check.positive("rope_theta", spec.ropeTheta);
  check.positive("rms_norm_eps", spec.rmsNormEps);
  if (!check.good)
    return false;

  if (spec.queryHeads % spec.keyValueHeads != 0) {
    check.fail(diag::SpecHeadsNotDivisible, "num_key_value_heads",
               spec.keyValueHeads, spec.queryHeads);
    check.seeAlso("num_attention_heads");
  }
  if (spec.headWidth % 2 != 0)
    check.fail(diag::SpecHeadWidthOdd, "head_dim", spec.headWidth);
  if (spec.queryHeads * spec.headWidth > kLargestDimension) {
    check.fail(diag::SpecHeadsTooWide, "num_attention_heads", spec.queryHeads,
               spec.headWidth, kLargestDimension);
    check.seeAlso("head_dim");
  }
  if (check.good && countParameters(spec) > kMostParameters)
    check.fail(diag::SpecTooLarge, "num_hidden_layers", spec.layers,
               countParameters(spec), kMostParameters);
  return check.good;
}

} // namespace qwen
