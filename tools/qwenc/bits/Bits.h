// Bits.h - `--bits`: a format for each part of a model, by what fewer bits of
// it cost on a text, and its values rounded with that text in mind.
//
// Units    bits a weight: of all matrices that a greedy token reads, scales
//          included, of a screened head the coarse copy
#pragma once

#include "frontend/weights/TensorIndex.h"
#include "tools/qwenc/CompileOptions.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace qwen::bits {

/// Values made anew, in what the formats chosen for them take.
struct Requantised {
  std::string format;          // of every matrix, as `--format` takes it
  TensorIndex tensors;         // those that are not as the checkpoint has them
  std::string description;     // JSON, for the plan
  std::shared_ptr<void> files; // that `tensors` lie in, as long as this lives
};

/// What a model's parts cost in each format, measured once.
class Search {
public:
  /// `build` names model, text and the options that count for any build of it;
  /// says on standard error how far it is. Refuses any of `wanted`, in bits a
  /// weight, that no formats of the model have, before anything is measured.
  static llvm::Expected<std::shared_ptr<Search>>
  make(const CompileOptions &build, llvm::ArrayRef<double> wanted);
  virtual ~Search() = default;

  /// Refuses what no formats of the model have.
  virtual llvm::Expected<std::shared_ptr<const Requantised>>
  choose(double bits) const = 0;
};

/// Checks what needs no model; the message of the first problem.
std::optional<std::string> checkBits(const CompileOptions &options);

} // namespace qwen::bits
