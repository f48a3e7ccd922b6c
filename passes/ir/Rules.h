// Rules.h - constraints that several ops share; each reports on the op and
// returns failure.
#pragma once

#include "passes/ir/QwenOps.h"

#include <optional>

namespace qwen::ir {

/// W is a matrix [N, K] and rows x have width K.
mlir::LogicalResult verifyInner(mlir::Operation *op, mlir::Type x,
                                WeightType weight);
/// y is [dim(x, 0), width]; quantised rows have no dim 0 to compare.
mlir::LogicalResult verifyRows(mlir::Operation *op, mlir::Type x, mlir::Type y,
                               int64_t width);
/// Query rows of `heads` heads share the heads of keys and values of one type.
mlir::LogicalResult verifyAttention(mlir::Operation *op, mlir::Type q,
                                    CacheType keys, CacheType values,
                                    int64_t heads);
/// A bias, when there is one, is a `vec` [width].
mlir::LogicalResult verifyBias(mlir::Operation *op, mlir::Value bias,
                               int64_t width);
/// `table` is a RoPE table whose rows fill `width` in `heads` heads.
mlir::LogicalResult verifyTable(mlir::Operation *op, WeightType table,
                                int64_t heads, int64_t width);
/// A norm weight, when there is one, is a `vec` as wide as the table's rows.
mlir::LogicalResult verifyHeadNorm(mlir::Operation *op, mlir::Value norm,
                                   WeightType table);
/// eps is given exactly when a norm weight is, and is positive.
mlir::LogicalResult verifyEps(mlir::Operation *op, mlir::Value norm,
                              std::optional<llvm::APFloat> eps);

} // namespace qwen::ir
