// BufferPlanner.h - offsets for a step's activations: largest first, first fit
// over live intervals.
//
// Units   time counts barriers for shared buffers, ops for a thread's own
#pragma once

#include "passes/ir/QwenOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <cstdint>
#include <vector>

namespace qwen {

inline constexpr int64_t kBufferAlignment = 64;
inline constexpr int64_t kSpareRows =
    8; // rows behind T that kernels may read and write

/// One buffer of rows inside an arena.
struct BufferPlace {
  ir::Arena arena = ir::Arena::Arena;
  int64_t offsetBytes = 0;
  int64_t rowBytes = 0;
  int64_t elementBytes = 0;
};

class BufferPlanner {
public:
  /// Plans all activations of a partitioned step of at most `rows` rows, the
  /// model's outputs that threads share excepted. With `keep` no memory is used
  /// twice, so that every value is there when the step ends.
  BufferPlanner(mlir::func::FuncOp step, int64_t rows, bool keep = false);

  int64_t arenaBytes() const { return bytes[0]; }
  int64_t scratchBytes() const { return bytes[1]; }

  /// Fixes the places of the returned logits and tokens; returns the logits'
  /// row stride in elements.
  int64_t placeOutputs(int64_t argmaxOffset, int64_t logitsOffset);

  /// Place of an activation; for quantised rows `argument` says which of xq,
  /// xs, xsum.
  BufferPlace place(mlir::Value value, llvm::StringRef argument) const;

private:
  struct Buffer {
    mlir::Value value;
    int64_t index;           // order of definition, for equal sizes
    int64_t bytes, from, to; // live in [from, to], both included
  };
  int64_t bytesOf(mlir::Type type) const;
  int64_t pack(std::vector<Buffer> buffers, ir::Arena arena);

  int64_t rows;
  int64_t bytes[2] = {0, 0};
  mlir::func::ReturnOp outputs;
  llvm::DenseMap<mlir::Value, BufferPlace> places;
};

} // namespace qwen
