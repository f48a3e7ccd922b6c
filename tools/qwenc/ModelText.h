// ModelText.h - JSON texts about a model: the spec, the plan's description, the
// generation section.
//
// Source  runtime/include/qwen/qwen.h, QWEN_SECTION_GENERATION
#pragma once

#include "frontend/weights/Model.h"
#include "tools/qwenc/CompileOptions.h"

#include <string>
#include <string_view>
#include <vector>

namespace qwen {

/// `--emit=spec`: every value of the ModelSpec under its HF name.
std::string specText(const ModelSpec &spec);

/// What the runtime needs beside weights: stop ids, sampling defaults, chat
/// template. Keys without a value are absent.
std::string generationText(const CheckpointSource &model);

/// What `info` shows: spec, options and kernels of the build, and the result of
/// its check, which is JSON or empty.
std::string descriptionText(const CheckpointSource &model,
                            const CompileOptions &options,
                            const std::vector<std::string> &kernels,
                            const std::string &check);

} // namespace qwen
