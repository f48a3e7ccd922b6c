// CheckTensors.cpp - compares a checkpoint's table with what its config asks
// for.
#include "frontend/weights/CheckTensors.h"

#include "frontend/weights/StoredType.h"

#include <set>

namespace qwen {
namespace {

constexpr int64_t kMostReported = 10;

/// Prints at most kMostReported errors, and counts all.
class Report {
public:
  explicit Report(Diagnostics &diags) : diags(diags) {}

  template <typename... Args>
  void add(const Diag<Args...> &kind, const std::string &path,
           const std::type_identity_t<Args> &...args) {
    last = path;
    if (++found <= kMostReported)
      diags.error(kind, {path}, args...);
  }

  bool finish() {
    if (found > kMostReported)
      diags.error(diag::TensorMore, {last}, found - kMostReported);
    return found == 0;
  }

private:
  Diagnostics &diags;
  int64_t found = 0;
  std::string last;
};

std::string describe(const StoredTensor &tensor) {
  return tensor.storedType + " " + shapeText(tensor.shape);
}

/// The file that a message about an absent tensor names.
std::string checkpointPath(const ModelSpec &spec, const TensorIndex &index) {
  if (!index.empty())
    return index.begin()->second.path;
  return spec.positions.empty() ? "" : spec.positions.begin()->second.file;
}

} // namespace

std::vector<ExpectedTensor> expectedTensors(const ModelSpec &spec) {
  const int64_t width = spec.hiddenSize;
  const int64_t queries = spec.queryHeads * spec.headWidth;
  const int64_t keys = spec.keyValueHeads * spec.headWidth;
  std::vector<ExpectedTensor> all;
  auto add = [&](std::string name, std::vector<int64_t> shape) {
    all.push_back({std::move(name), std::move(shape)});
  };
  add("model.embed_tokens.weight", {spec.vocabSize, width});
  for (int64_t layer = 0; layer < spec.layers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    const std::string attention = at + "self_attn.";
    auto projection = [&](const char *name, int64_t rows) {
      add(attention + name + "_proj.weight", {rows, width});
      if (spec.qkvBias)
        add(attention + name + "_proj.bias", {rows});
    };
    add(at + "input_layernorm.weight", {width});
    projection("q", queries);
    projection("k", keys);
    projection("v", keys);
    if (spec.qkNorm) {
      add(attention + "q_norm.weight", {spec.headWidth});
      add(attention + "k_norm.weight", {spec.headWidth});
    }
    add(attention + "o_proj.weight", {width, queries});
    add(at + "post_attention_layernorm.weight", {width});
    add(at + "mlp.gate_proj.weight", {spec.ffnSize, width});
    add(at + "mlp.up_proj.weight", {spec.ffnSize, width});
    add(at + "mlp.down_proj.weight", {width, spec.ffnSize});
  }
  add("model.norm.weight", {width});
  if (!spec.tiedEmbedding)
    add("lm_head.weight", {spec.vocabSize, width});
  return all;
}

bool checkTensors(const ModelSpec &spec, const TensorIndex &index,
                  Diagnostics &diags) {
  Report report(diags);
  std::set<std::string> names;
  for (const ExpectedTensor &expected : expectedTensors(spec)) {
    names.insert(expected.name);
    auto entry = index.find(expected.name);
    if (entry == index.end()) {
      report.add(diag::TensorMissing, checkpointPath(spec, index),
                 expected.name, shapeText(expected.shape));
      continue;
    }
    const StoredTensor &tensor = entry->second;
    const StoredType *type = findStoredType(tensor.storedType);
    if (tensor.shape != expected.shape)
      report.add(diag::TensorWrongShape, tensor.path, tensor.fileName,
                 describe(tensor), shapeText(expected.shape));
    else if (!type)
      report.add(diag::TensorTypeUnknown, tensor.path, tensor.fileName,
                 tensor.storedType, storedTypeNames(false));
    else if (expected.shape.size() == 1 && type->quantized)
      report.add(diag::TensorQuantizedVector, tensor.path, tensor.fileName,
                 describe(tensor));
  }
  for (const auto &[name, tensor] : index)
    if (!names.count(name))
      report.add(diag::TensorUnknown, tensor.path, tensor.fileName,
                 describe(tensor));
  return report.finish();
}

} // namespace qwen
