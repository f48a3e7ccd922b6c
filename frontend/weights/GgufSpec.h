// GgufSpec.h - GGUF metadata to a checked ModelSpec and generation settings.
//
// Source  llama.cpp's keys of the `qwen2` and `qwen3` architectures
#pragma once

#include "frontend/config/GenerationConfig.h"
#include "frontend/config/ModelSpec.h"
#include "frontend/diag/Diag.h"
#include "frontend/weights/Gguf.h"

#include <optional>
#include <string>
#include <vector>

namespace qwen {

/// A key of the architecture that is not read is an error, as in config.json;
/// `ignoredKeys` are read as if absent. The vocabulary is the embedding's rows,
/// and the embedding is tied when the file has no `output.weight`.
std::optional<ModelSpec>
specFromGguf(const GgufHeader &header,
             const std::vector<std::string> &ignoredKeys, Diagnostics &diags);

/// The stop and start tokens; GGUF has no sampling settings.
GenerationConfig generationFromGguf(const GgufMetadata &metadata);

} // namespace qwen
