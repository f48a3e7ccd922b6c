// ReadBuild.h - a named build: which model is compiled, and how.
#pragma once

#include "frontend/diag/Diag.h"

#include <cstdint>
#include <optional>
#include <string>

namespace qwen {

/// The options of `qwenc compile` under their own names; what is absent keeps
/// the compiler's default.
struct BuildConfig {
  std::string model; // a path is relative to the build's file
  std::optional<std::string> format;
  std::optional<std::string> activations;
  std::optional<std::string> target;
  std::optional<int64_t> context;
};

/// Reports an unknown key, a missing model, or a value of another type.
std::optional<BuildConfig> readBuild(const std::string &path,
                                     Diagnostics &diags);

} // namespace qwen
