// Sampling.cpp - rows and meaning of the sampling options.
#include "runtime/cli/Sampling.h"

#include <sys/random.h>

namespace qwen {

std::vector<OptionRow> SamplingOptions::rows() {
  return {
      {"--temperature", &temperature,
       "divides the logits; 0 is greedy (default: 0, or 1 if another option "
       "samples)"},
      {"--top-k", &topK, "keep the k most likely tokens; 0 keeps all"},
      {"--top-p", &topP,
       "keep the smallest set of tokens with this probability together"},
      {"--min-p", &minP,
       "keep tokens at least this times as likely as the most likely one"},
      {"--repetition-penalty", &repetitionPenalty,
       "make tokens seen before less likely; 1 changes nothing"},
      {"--seed", &seed,
       "equal seeds give equal answers (default: another one each time)"},
      {"--model-sampling", &modelDefaults,
       "sample as the model's generation_config recommends, where not given"}};
}

Result<SamplerOptions>
SamplingOptions::resolve(const Generation &generation) const {
  bool samples = modelDefaults || temperature || topK || topP || minP || seed;
  SamplerOptions options;
  auto choose = [&](const auto &given, const auto &recommended,
                    auto otherwise) {
    return given                          ? *given
           : modelDefaults && recommended ? *recommended
                                          : otherwise;
  };
  options.temperature =
      choose(temperature, generation.temperature, samples ? 1.0 : 0.0);
  options.topK = choose(topK, generation.topK, int64_t{0});
  options.topP = choose(topP, generation.topP, 1.0);
  options.minP = choose(minP, generation.minP, 0.0);
  options.repetitionPenalty =
      choose(repetitionPenalty, generation.repetitionPenalty, 1.0);
  if (seed)
    options.seed = *seed;
  else if (getrandom(&options.seed, sizeof(options.seed), 0) !=
           sizeof(options.seed))
    return Status::internal("the system gives no random seed");
  if (Status status = options.check(); !status.ok())
    return status;
  return options;
}

} // namespace qwen
