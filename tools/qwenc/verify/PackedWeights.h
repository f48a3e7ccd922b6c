// PackedWeights.h - a weights file read back by the table of formats alone, not
// by the packer's code.
//
// Source  ARCHITECTURE.md, "Weight formats"; runtime/include/qwen/qwen.h
#pragma once

#include "frontend/weights/TensorIndex.h"
#include "passes/ir/QwenOps.h"
#include "passes/reference/Parameters.h"
#include "tools/qwenc/verify/Likeness.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qwen::verify {

/// The first value of a packed weight that is not what the checkpoint says.
struct WeightDamage {
  std::string tensor, format, layout;
  int64_t row, column;
  double packed, stored, bound;
};

class PackedWeights {
public:
  /// `planned` tells where each weight lies in the file at `path`, which may be
  /// an executable with embedded weights.
  static llvm::Expected<PackedWeights> open(const std::string &path,
                                            mlir::ModuleOp planned);

  /// Values as kernels see them; false for a name that is not there.
  bool rows(llvm::StringRef name, int64_t row0, int64_t rows,
            std::vector<double> &values) const;

  struct Comparison {
    std::optional<WeightDamage> first;
    std::string notAsTold; // the first tensor made anew that is not what the
                           // build says of it, and why; empty: none
    double worst = 0;      // largest error in units of the bound
    int64_t tensors = 0;
    std::map<std::string, double> noise; // relative root mean square of what a
                                         // format has rounded, by tensor
  };
  /// Holds every weight to its tensor: equal, or within half a step where a
  /// format rounds; those made anew to what was told of them; and the bounds of
  /// coarse copies to what they must cover.
  Comparison compare(const TensorIndex &tensors,
                     const std::map<std::string, Likeness> &madeAnew) const;

private:
  /// The first bound of a coarse copy that does not cover what the copy lacks.
  std::optional<WeightDamage> smallBound(const std::string &name,
                                         ir::PackedWeightOp op) const;

  std::unique_ptr<llvm::MemoryBuffer> file;
  const uint8_t *tensors = nullptr; // the section
  std::map<std::string, ir::PackedWeightOp> places;
};

} // namespace qwen::verify
