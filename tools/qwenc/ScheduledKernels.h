// ScheduledKernels.h - which kernels a model's steps call, without building any
// of them.
#pragma once

#include "tools/qwenc/CompileOptions.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace qwen {

struct ScheduledKernels {
  CompileOptions options; // completed: target, context, chunk
  std::string model;      // modelKey; empty for an .mlir file
  /// Each distinct symbol and its calls in one step, in the order of first use.
  std::vector<std::pair<std::string, int64_t>> calls;
};

/// Returns 0, or an exit code after a message.
int scheduledKernels(const CompileOptions &options, ScheduledKernels &result);

} // namespace qwen
