// PromptLookup.h - drafts of the next tokens from what the sequence already
// holds, and whether they are worth a step.
//
// Source    Saxena, "Prompt Lookup Decoding" (2023); Hugging Face transformers
//           PromptLookupCandidateGenerator
#ifndef QWEN_RUNTIME_CORE_PROMPTLOOKUP_H
#define QWEN_RUNTIME_CORE_PROMPTLOOKUP_H

#include <cstdint>
#include <span>
#include <vector>

namespace qwen {

/// A draft never changes a token, only how many steps the tokens take: a step
/// over several tokens gives each the logits that it has alone, to the bit.
class PromptLookup {
public:
  enum class When {
    kNever,
    kWhileItPays, // a wrong draft may cost, a fortieth of the time at most
    kAlways,
  };

  /// For sequences of at most `context` tokens and steps that give at most
  /// `rows` rows of logits.
  PromptLookup(int64_t context, int64_t rows, When when);

  /// Forgets the sequence, not what drafts have cost and saved.
  void reset() { history_.clear(); }

  /// Appends `ids` to the sequence.
  void see(std::span<const int32_t> ids);

  /// At most `most` tokens: those after the latest earlier occurrence of the
  /// sequence's longest ending that occurs earlier. Empty where no ending of
  /// kFewestSame tokens does, or where a wrong draft could cost too much. Valid
  /// until the next call.
  std::span<const int32_t> propose(int64_t most);

  /// A step over one token took `seconds`.
  void decoded(double seconds);

  /// A step over one token and `drafted` more, of which `accepted` were right,
  /// took `seconds`.
  void verified(int64_t drafted, int64_t accepted, double seconds);

  int64_t steps() const { return steps_; }
  int64_t drafted() const { return drafted_; }
  int64_t accepted() const { return accepted_; }

  static constexpr int64_t kFewestSame = 2, kMostSame = 12;
  // Of a draft; with the token before it, whole tiles of the kernels.
  static constexpr int64_t kShortest = 3, kLongest = 31;

private:
  bool affordable() const;

  When when_;
  std::vector<int32_t> history_, draft_;
  int64_t longest_;
  int64_t length_; // of the next draft
  // In seconds: one step over one token; what a step over a short draft takes
  // beyond that; what drafts have saved, and may still lose.
  double single_ = 0, extra_ = 0, balance_ = 0;
  int64_t steps_ = 0, drafted_ = 0, accepted_ = 0;
};

} // namespace qwen

#endif
