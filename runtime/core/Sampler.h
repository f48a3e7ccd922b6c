// Sampler.h - from logits to the next token.
#ifndef QWEN_RUNTIME_CORE_SAMPLER_H
#define QWEN_RUNTIME_CORE_SAMPLER_H

#include "runtime/core/Screening.h"
#include "runtime/core/Status.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace qwen {

struct SamplerOptions {
  double temperature = 0; // 0: the token with the largest logit; the filters
                          // below then do not matter
  int64_t topK =
      0; // keep the k largest logits, the lowest ids of equal ones; 0: all
  double topP = 1; // keep the smallest set of most probable tokens whose
                   // probabilities sum to this
  double minP =
      0; // keep tokens at least this times as probable as the most probable one
  double repetitionPenalty = 1; // positive logits of tokens seen are divided by
                                // it, negative ones multiplied
  uint64_t seed = 0;            // equal seeds and logits give equal tokens

  /// kInvalid naming the first value out of its range.
  Status check() const;
};

/// A token and its logit after the processors.
struct Candidate {
  int32_t id;
  float logit;
};

/// Numbers from 0 to 1 that a seed determines. Source: xoshiro256**, seeded by
/// splitmix64 (Blackman and Vigna).
class Random {
public:
  explicit Random(uint64_t seed);
  double uniform(); // in [0, 1)

private:
  uint64_t next();
  uint64_t state_[4];
};

/// Source: Hugging Face transformers, generation/logits_process.py and the
/// order of _get_logits_processor: repetition penalty, temperature, top-k,
/// top-p, min-p, softmax, one draw. Of logits equal to the k-th, which it keeps
/// all, only as many are kept as make k: else no part of them would be enough.
class Sampler {
public:
  Sampler(const SamplerOptions &options, int64_t vocabSize);

  /// Never gives `id`.
  void forbid(int32_t id);

  /// Counts `ids` as seen, for the repetition penalty.
  void see(std::span<const int32_t> ids);

  /// Forgets what was seen.
  void reset();

  /// Whether greedy decoding without penalties is asked for: then `sample`
  /// reads no logit but the greedy token's, unless that one is forbidden.
  bool isGreedy() const {
    return options_.temperature == 0 && options_.repetitionPenalty == 1;
  }
  /// Whether `sample` gives `greedy` whatever the other logits are.
  bool takes(const float *logits, int32_t greedy) const;

  /// How deep into the logits the next choice is likely to look; nothing if it
  /// may need all of them.
  std::optional<Depth> depth() const;
  /// Whether the logits that reach `floor` settle the next choice: `sample`
  /// gives the same token whatever the others are, as long as they are below.
  bool settles(const float *logits, float floor);

  /// The next token. `logits` [V], read where they reach `floor`; `greedy` is
  /// the generated code's choice among them and serves, unread logits and all,
  /// where it is what greedy decoding asks for. kInternal if no token has a
  /// finite logit.
  Result<int32_t> sample(const float *logits, int32_t greedy,
                         float floor = -INFINITY);

  /// The tokens that may be drawn and their probabilities, most probable first.
  std::vector<std::pair<int32_t, double>> distribution(const float *logits);

private:
  float penalised(const float *logits, int32_t id) const;
  Candidate best(const float *logits) const; // id -1: none
  // The candidates are the tokens whose logits reach the floor.
  void gather(const float *logits, float floor);
  void filter(const float *logits, float floor);
  // The random number of the next choice.
  double upcoming();
  // Whether the candidates, the only tokens above `lowest`, settle the choice
  // if up to `others` more may be kept. Sorts them.
  bool settledBy(float lowest, int64_t others);

  SamplerOptions options_;
  int64_t vocabSize_;
  Random random_;
  std::optional<double> upcoming_;
  std::vector<bool> forbidden_, seen_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_; // of the candidates, the first one's is 1
};

} // namespace qwen

#endif
