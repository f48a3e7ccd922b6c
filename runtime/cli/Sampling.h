// Sampling.h - the options that choose how tokens are picked.
#ifndef QWEN_RUNTIME_CLI_SAMPLING_H
#define QWEN_RUNTIME_CLI_SAMPLING_H

#include "runtime/cli/Command.h"
#include "runtime/cli/Generation.h"
#include "runtime/core/Sampler.h"

#include <optional>
#include <vector>

namespace qwen {

/// Greedy unless an option asks for sampling. Any of temperature, top-k, top-p,
/// min-p and seed asks for it; filters that are not given are then off and the
/// temperature is 1. With `modelDefaults` the checkpoint's recommended values
/// stand for those not given.
struct SamplingOptions {
  std::optional<double> temperature, topP, minP, repetitionPenalty;
  std::optional<int64_t> topK;
  std::optional<uint64_t> seed;
  bool modelDefaults = false;

  std::vector<OptionRow> rows();

  /// kInvalid naming the option that is out of its range.
  Result<SamplerOptions> resolve(const Generation &generation) const;
};

} // namespace qwen

#endif
