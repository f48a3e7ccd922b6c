// Likeness.h - how like one another two sets of values are, and a digest of
// one of them.
#pragma once

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <string>

namespace qwen::verify {

/// Of values [N, K] beside those they stand for.
struct Likeness {
  std::string digest; // of the values as f32, row by row
  double noise = 0;   // relative root mean square of the difference
};

/// Adds up rows in order.
class LikenessSum {
public:
  /// A row of each.
  void add(llvm::ArrayRef<double> values, llvm::ArrayRef<double> originals);
  Likeness result() const;

private:
  uint64_t digest = 0;
  double error = 0, size = 0; // sums of squares
};

} // namespace qwen::verify
