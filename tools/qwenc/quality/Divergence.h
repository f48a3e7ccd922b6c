// Divergence.h - how far one set of logits is from another.
//
// Units   KL in nats; perplexity is exp of the mean surprise at the next token
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace qwen::quality {

/// Logits of consecutive positions, f32 [T, V], mapped from a NumPy file.
class LogitsFile {
public:
  /// Refuses a file that holds no whole rows of `vocab` values.
  static llvm::Expected<LogitsFile> open(const std::string &path,
                                         int64_t vocab);

  int64_t rows() const { return count; }
  int64_t columns() const { return vocab; }
  const float *row(int64_t t) const { return values + t * vocab; }

private:
  std::unique_ptr<llvm::MemoryBuffer> file;
  const float *values = nullptr;
  int64_t count = 0, vocab = 0;
};

struct Divergence {
  double kl = 0;         // mean over positions of KL(reference, other)
  double sameTop = 0;    // part of the positions with the same largest logit
  double perplexity = 0; // of `other`; 0 with fewer than two positions
};

/// Compares `other` with `reference`; position t predicts ids[t + 1]. A logit
/// that is no number makes `kl` one that is none.
Divergence compareLogits(const LogitsFile &reference, const LogitsFile &other,
                         const std::vector<int32_t> &ids);

} // namespace qwen::quality
