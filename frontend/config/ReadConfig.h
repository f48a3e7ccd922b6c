// ReadConfig.h - config.json to a checked ModelSpec; nothing else reads
// config.json.
//
// Source  HF Qwen2Config and Qwen3Config, as written by transformers 4 and 5
#pragma once

#include "frontend/config/ModelSpec.h"
#include "frontend/diag/Diag.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qwen {

struct ReadConfigOptions {
  /// Keys that are read as if absent (`--ignore-key`).
  std::vector<std::string> ignoredKeys;
};

/// Every problem of the file is reported at its key; nothing then. A key that
/// is neither read nor known not to change the numbers is a problem.
std::optional<ModelSpec> readConfig(const std::string &path,
                                    const ReadConfigOptions &options,
                                    Diagnostics &diags);

/// The same for a text in memory; `path` is for messages.
std::optional<ModelSpec> parseConfig(std::string_view text,
                                     const std::string &path,
                                     const ReadConfigOptions &options,
                                     Diagnostics &diags);

} // namespace qwen
