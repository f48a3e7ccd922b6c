// Generation.h - what the checkpoint says about generating: stop tokens, chat
// template, recommended sampling.
#ifndef QWEN_RUNTIME_CLI_GENERATION_H
#define QWEN_RUNTIME_CLI_GENERATION_H

#include "runtime/core/Sampler.h"
#include "runtime/core/StopTokens.h"

#include <optional>
#include <string>
#include <string_view>

namespace qwen {

/// Source: the generation section of a weights file (qwen.h).
struct Generation {
  StopTokens stops;
  std::string chatTemplate;
  std::optional<double> temperature, topP, minP, repetitionPenalty;
  std::optional<int64_t> topK;

  /// kInvalid if `text` is not empty and not such a JSON object.
  static Result<Generation> parse(std::string_view text);
};

} // namespace qwen

#endif
