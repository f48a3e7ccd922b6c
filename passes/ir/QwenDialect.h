// QwenDialect.h - the dialect, its types and attributes, and what passes ask
// about any op.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"

#include "qwen/cache_layout.h"

#include <string>

#include "passes/ir/QwenEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "passes/ir/QwenAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "passes/ir/QwenTypes.h.inc"

#include "passes/ir/QwenDialect.h.inc"

namespace qwen::ir {

/// A kernel does the op: it may carry `qwen.kernel` and `qwen.partition`.
template <typename Op>
class Compute : public mlir::OpTrait::TraitBase<Op, Compute> {};

inline bool isCompute(mlir::Operation *op) { return op->hasTrait<Compute>(); }

/// The kernel symbol of a compute op; empty before one is chosen.
llvm::StringRef getKernel(mlir::Operation *op);
void setKernel(mlir::Operation *op, llvm::StringRef symbol);

/// The symbol of the kernel that does few rows of a compute op; null where one
/// does them all.
mlir::StringAttr getFewKernel(mlir::Operation *op);
void setFewKernel(mlir::Operation *op, llvm::StringRef symbol);

/// The partition of a compute op; null before one is chosen.
PartitionAttr getPartition(mlir::Operation *op);
void setPartition(mlir::Operation *op, PartitionAttr partition);

/// The plan of a module; null before planning.
PlanAttr getPlan(mlir::Operation *module);
void setPlan(mlir::Operation *module, PlanAttr plan);

/// The first name in a location ("model.layers.3.mlp.up_proj"); empty when it
/// has none.
llvm::StringRef nameOf(mlir::Location location);

/// What the op's result is called among taps: the name in its location, and
/// "NAME.quantized" for the quantised rows of the op NAME.
std::string tapName(mlir::Operation *op);

/// Whether it is a tensor of rows or of ids, or quantised rows.
bool isRows(mlir::Type type);

/// X of a tensor of rows [T, X] or of quantised rows.
int64_t widthOf(mlir::Type rows);

/// T of a tensor of rows or of ids; ShapedType::kDynamic when it is known at
/// run time only, and for quantised rows.
int64_t tokensOf(mlir::Type rows);

} // namespace qwen::ir
