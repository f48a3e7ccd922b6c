// GenerationConfig.h - how a checkpoint asks to be sampled, and where it stops.
//
// Source  HF GenerationConfig (generation_config.json)
#pragma once

#include "frontend/diag/Diag.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace qwen {

/// What is absent in the file stays empty.
struct GenerationConfig {
  std::vector<int64_t> eosTokenIds; // any of them ends the text
  std::optional<int64_t> bosTokenId;
  std::optional<int64_t> padTokenId;
  std::optional<bool> doSample;
  std::optional<double> temperature;       // >= 0
  std::optional<double> topP;              // 0..1
  std::optional<double> minP;              // 0..1
  std::optional<int64_t> topK;             // >= 0; 0 keeps all
  std::optional<double> repetitionPenalty; // > 0
};

/// An absent file gives the empty struct; keys that are not listed above do not
/// matter. Also takes a config.json, whose token ids have the same names.
std::optional<GenerationConfig> readGenerationConfig(const std::string &path,
                                                     Diagnostics &diags);

} // namespace qwen
