// Screening.h - when a screened head is worth its steps, and how low its floor
// must be.
//
// Units   a floor's margin and depth are of the model's logits; a credit is in
// steps for all logits
#ifndef QWEN_RUNTIME_CORE_SCREENING_H
#define QWEN_RUNTIME_CORE_SCREENING_H

#include <cstdint>

namespace qwen {

/// What a choice is likely to need of the logits: those of a rank, or those so
/// far below the largest, whichever are fewer.
struct Depth {
  int64_t rank = 0;
  double margin = 0;
  bool operator==(const Depth &) const = default;
};

/// Never changes a token, only the bytes that are read for it.
class Screening {
public:
  /// Whether the next step is screened.
  bool next();

  /// For good.
  void stop() { stopped_ = true; }

  /// It computed `rows` rows of logits, of `rowBytes`, and read `otherBytes`
  /// beside them; a step for all logits reads `all`.
  void read(int64_t rows, int64_t rowBytes, int64_t otherBytes, int64_t all);

  /// How deep the next floor is to be, so that it settles nearly every choice:
  /// `expected` at first, then what choices turned out to need.
  Depth depth(const Depth &expected);

  /// Whether what it left settled the choice. If not, it costs a step more.
  void settled(bool yes);

  int64_t steps() const { return steps_; }   // screened
  int64_t missed() const { return missed_; } // of them, not settled
  int64_t rows() const { return rows_; }     // of logits, of all of them

  static constexpr int64_t kPause = 64, kMostRank = 1024;
  static constexpr double kMostMargin = 1024;

private:
  void spend(double steps);

  int64_t steps_ = 0, missed_ = 0, rows_ = 0;
  int64_t pause_ = 0, nextPause_ = kPause;
  bool stopped_ = false;
  double credit_ = 1;
  Depth expected_, depth_;
  double rowsCost_ = 0; // of the last step
  double rank_ = 0;     // with what is too little for a whole one
};

} // namespace qwen

#endif
