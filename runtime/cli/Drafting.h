// Drafting.h - the option that chooses when steps take drafted tokens along.
#ifndef QWEN_RUNTIME_CLI_DRAFTING_H
#define QWEN_RUNTIME_CLI_DRAFTING_H

#include "runtime/cli/Command.h"
#include "runtime/core/PromptLookup.h"
#include "runtime/include/qwen/qwen.h"

#include <string>

namespace qwen {

struct DraftingOptions {
  std::string mode = "auto";

  OptionRow row();

  /// kInvalid for an unknown mode.
  Result<PromptLookup> lookup(const qwen_plan &plan) const;
};

} // namespace qwen

#endif
