// Model.h - a model as found on disk: its shape, where its tensors lie, and
// what the runtime needs beside them.
#pragma once

#include "frontend/config/GenerationConfig.h"
#include "frontend/config/ModelSpec.h"
#include "frontend/weights/GgufMetadata.h"
#include "frontend/weights/TensorIndex.h"

#include <optional>
#include <string>

namespace qwen {

struct CheckpointSource {
  ModelSpec spec;
  std::optional<TensorIndex> tensors; // absent: a config without weights
  std::string tokenizerPath;        // tokenizer.json or the GGUF; may be empty
  std::optional<GgufMetadata> gguf; // of a GGUF
  GenerationConfig generation;
  std::string chatTemplate; // Jinja text; may be empty
};

} // namespace qwen
