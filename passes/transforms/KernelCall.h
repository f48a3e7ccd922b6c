// KernelCall.h - how each compute op is done by a kernel: its options and dims,
// and the values behind its operands.
//
// Source  ARCHITECTURE.md, "Kernels": the one place where ops are matched with
// kernel operands by name
#pragma once

#include "codegen/catalog/Catalog.h"
#include "passes/ir/QwenOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace qwen {

inline int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Elements from one row of X values to the next.
inline int64_t rowStride(int64_t width) { return roundUp(width, 16); }

/// What SelectKernels asks the catalog for.
struct KernelRequest {
  std::string kernel;
  std::vector<std::string> options;
  std::vector<std::pair<std::string, int64_t>> dims;
};

/// The kernel of a compute op; `tokens` is 1, or 0 when T is known at run time;
/// a chunk of a linear reads about `chunkBytes` of weights.
KernelRequest kernelRequest(mlir::Operation *op, int64_t tokens,
                            int64_t chunkBytes);

/// The value that a kernel's operand of this name (not a scalar) is read from
/// or, for an output, that the op defines. Null when the op has none.
mlir::Value operandValue(mlir::Operation *op, llvm::StringRef operand);

/// How far an operand's columns or heads advance from one chunk to the next.
/// Only the field that fits is not 0.
struct ChunkStep {
  int64_t rows = 0;    // rows of a weight, or elements of a bias
  int64_t columns = 0; // columns of rows of activations
  int64_t heads = 0;   // heads of a cache
};
ChunkStep chunkStep(mlir::Operation *op, llvm::StringRef operand,
                    const KernelSymbol &symbol);

/// Where a cache has the plane that an argument of `keys` or `values` is.
struct CachePlace {
  int64_t offsetBytes; // from the cache's start
  int64_t headBytes;
};
CachePlace cachePlace(ir::CacheType type, const KernelArgument &argument);

/// Bytes from one span of positions to the next in an argument; 0 of an op that
/// is not cut into spans.
int64_t spanBytes(mlir::Operation *op, const KernelArgument &argument);

/// Positions of a span of such an op; else 0.
int64_t spanOf(mlir::Operation *op);

/// Chunks that make up one row of the op's output.
int64_t chunkCount(mlir::Operation *op, const KernelSymbol &symbol);

/// The number behind `eps`; nothing for any other scalar.
std::optional<double> constantScalar(mlir::Operation *op,
                                     llvm::StringRef operand);

/// Rows of the function's step: 1, or 0 when T is known at run time.
int64_t stepTokens(mlir::func::FuncOp function);

/// Value of the knob `tokens` (rows that one inner tile computes); 1 when the
/// kernel has none.
int64_t tokenTile(const KernelSymbol &symbol);

} // namespace qwen
