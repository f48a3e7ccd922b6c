// ScheduledKernels.h - which kernels a model's steps call, without building any
// of them.
#pragma once

#include "tools/qwenc/CompileOptions.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace qwen {

/// Fills `calls` with each distinct kernel symbol and its calls in one step, in
/// the order of first use, and completes `options` (target, context, chunk).
/// Returns 0, or an exit code after a message.
int scheduledKernels(CompileOptions &options,
                     std::vector<std::pair<std::string, int64_t>> &calls);

} // namespace qwen
