// Parts.h - what of a model can have a format of its own.
#pragma once

#include "frontend/weights/TensorIndex.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cstdint>
#include <string>
#include <vector>

namespace qwen::bits {

/// A weight [rows, width].
struct Matrix {
  std::string name;
  int64_t rows = 0, width = 0;
  StoredTensor stored;
  std::string lossless; // the format of its stored type; empty for floats
};

/// Matrices that multiply the same rows: they are measured together and get
/// the same bits.
struct Part {
  std::string tap; // of the rows, quantised
  std::vector<Matrix> matrices;
  bool oneFormat = false; // one kernel decodes two of them
};

/// The parts of a step whose linears all read quantised rows, in the step's
/// order.
std::vector<Part> partsOf(mlir::func::FuncOp step, const TensorIndex &tensors);

/// Matrices of which a token reads single rows only: an embedding that is not
/// the head too.
std::vector<Matrix> lookedUp(mlir::func::FuncOp step,
                             const TensorIndex &tensors);

} // namespace qwen::bits
