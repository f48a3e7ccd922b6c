// Info.cpp - `info`: what this executable is; runs on any CPU and without
// weights.
#include "runtime/cli/Files.h"
#include "runtime/cli/Model.h"
#include "runtime/core/CpuFeatures.h"

#include <nlohmann/json.hpp>

namespace qwen {
namespace {

using nlohmann::ordered_json;

ordered_json planFields(const qwen_plan &plan) {
  return {{"hidden_size", plan.hidden_size},
          {"ffn_size", plan.ffn_size},
          {"layers", plan.layers},
          {"query_heads", plan.query_heads},
          {"key_value_heads", plan.key_value_heads},
          {"head_width", plan.head_width},
          {"vocab_size", plan.vocab_size},
          {"context", plan.context},
          {"prefill_chunk", plan.prefill_chunk},
          {"logits_rows", plan.logits_rows},
          {"weights_bytes", plan.weights_bytes},
          {"cache_bytes", plan.cache_bytes},
          {"arena_bytes", plan.arena_bytes},
          {"scratch_bytes_per_thread", plan.scratch_bytes},
          {"decode_bytes", plan.decode_bytes},
          {"screened_head", plan.decode_screened != nullptr},
          {"screened_bytes", plan.screened_bytes},
          {"rescored_row_bytes", plan.rescored_row_bytes},
          {"cache_token_bytes", plan.cache_token_bytes}};
}

class InfoCommand : public Command {
public:
  const char *name() const override { return "info"; }
  const char *help() const override {
    return "tell what this executable was built from and for";
  }

  std::vector<OptionRow> options() override {
    return {{"--json", &json_, "as one JSON object"}, model_.weightsRow()};
  }

  Status run() override {
    const qwen_plan &plan = modelPlan();
    ordered_json info;
    info["target"] = plan.target;
    std::string targets;
    for (const qwen_plan *other = &qwen_model_plan; other; other = other->next)
      targets += (targets.empty() ? "" : ",") + std::string(other->target);
    info["targets"] = targets;
    info["features"] = plan.features;
    Status cpu = checkCpuFeatures(plan.features, plan.target);
    info["runs_here"] = cpu.ok();
    if (!cpu.ok())
      info["runs_here_not_because"] = cpu.text();
    info["fingerprint"] = fingerprintText(plan.fingerprint);
    info["plan"] = planFields(plan);
    Result<Weights> weights = Weights::open(plan, model_.weights);
    if (weights.ok()) {
      info["weights"] = {{"path", weights->path()},
                         {"bytes", weights->bytes()},
                         {"tokenizer", !weights->tokenizer().empty()},
                         {"generation", !weights->generation().empty()}};
    } else if (!model_.weights.empty()) {
      return weights.status();
    } else {
      info["weights"] = nullptr;
      info["weights_missing_because"] = weights.status().line("weights");
    }
    ordered_json description = ordered_json::parse(plan.description, nullptr,
                                                   /*allow_exceptions=*/false);
    info["description"] = description.is_discarded()
                              ? ordered_json(plan.description)
                              : description;
    return writeOutput(json_ ? info.dump(2) + "\n" : lines(info, ""));
  }

private:
  // `key.key: value`, one a line.
  static std::string lines(const ordered_json &value, const std::string &key) {
    if (!value.is_structured() || value.empty())
      return key + ": " +
             (value.is_string() ? value.get<std::string>() : value.dump()) +
             "\n";
    if (value.is_array())
      return key + ": " + value.dump() + "\n";
    std::string text;
    for (const auto &[name, part] : value.items())
      text += lines(
          part, key.empty() ? name : std::string(key).append(".").append(name));
    return text;
  }

  bool json_ = false;
  ModelOptions model_;
};

} // namespace

std::unique_ptr<Command> commands::info() {
  return std::make_unique<InfoCommand>();
}

} // namespace qwen
