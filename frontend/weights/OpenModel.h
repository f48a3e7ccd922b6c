// OpenModel.h - from what a user calls a model to its CheckpointSource.
#pragma once

#include "frontend/diag/Diag.h"
#include "frontend/weights/Model.h"

#include <optional>
#include <string>
#include <vector>

namespace qwen {

struct OpenModelOptions {
  /// Config keys that are read as if absent (`--ignore-key`).
  std::vector<std::string> ignoredKeys;
  /// The hub's local cache; empty: $HF_HUB_CACHE, $HF_HOME/hub, then
  /// ~/.cache/huggingface/hub.
  std::string hubCache;
};

/// `model` is a Hugging Face directory, a config.json, a .gguf file, or a hub
/// name `org/name` that lies in the local cache. Only headers are read. The
/// tensors, where there are any, are checked against the config.
std::optional<CheckpointSource> openModel(const std::string &model,
                                          const OpenModelOptions &options,
                                          Diagnostics &diags);

} // namespace qwen
