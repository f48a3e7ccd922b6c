// RaiseTail.cpp - what no later token reads is computed for the wanted rows
// only: the last layer behind its attention.
//
// Needs   steps split by token count, and a `tail`
// Leaves  in steps of many tokens, the `tail` on what row-by-row ops in front
// of it read; each wanted row's results are the same
// Here    before kernels are chosen: a step of one token has no row to spare
#include "passes/transforms/Passes.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qwen {

#define GEN_PASS_DEF_RAISETAIL
#include "passes/transforms/Passes.h.inc"

namespace {

using OpSet = llvm::DenseSet<mlir::Operation *>;

/// Whether a row of the result depends on the same row of the operands alone:
/// a cache or a position would tie it to others.
bool worksRowByRow(mlir::Operation &op) {
  return ir::isCompute(&op) && llvm::all_of(op.getResultTypes(), ir::isRows) &&
         llvm::all_of(op.getOperandTypes(), [](mlir::Type type) {
           return ir::isRows(type) || llvm::isa<ir::WeightType>(type);
         });
}

/// The ops that nothing but `tail` and each other reads.
OpSet opsBefore(ir::TailOp tail, const OpSet &excluded) {
  OpSet found;
  for (mlir::Operation &op : llvm::reverse(*tail->getBlock()))
    if (worksRowByRow(op) && !op.use_empty() && !excluded.contains(&op) &&
        llvm::all_of(op.getUsers(), [&](mlir::Operation *user) {
          return user == tail || found.contains(user);
        }))
      found.insert(&op);
  return found;
}

void raise(ir::TailOp tail) {
  // Quantised rows have no tail, so an op moves only with what quantises for
  // it.
  OpSet excluded, moved;
  do {
    moved = opsBefore(tail, excluded);
  } while (llvm::any_of(moved, [&](mlir::Operation *op) {
    bool stays = llvm::any_of(op->getOperands(), [&](mlir::Value value) {
      return llvm::isa<ir::ActType>(value.getType()) &&
             !moved.contains(value.getDefiningOp());
    });
    return stays && excluded.insert(op).second;
  }));
  if (moved.empty())
    return;

  llvm::DenseMap<mlir::Value, mlir::Value> tails;
  for (mlir::Operation &op : *tail->getBlock()) {
    if (!moved.contains(&op))
      continue;
    for (mlir::OpOperand &operand : op.getOpOperands()) {
      mlir::Value value = operand.get();
      if (!ir::isRows(value.getType()) || moved.contains(value.getDefiningOp()))
        continue;
      mlir::Value &rows = tails[value];
      if (!rows) {
        mlir::OpBuilder builder(&op);
        rows = ir::TailOp::create(builder, tail.getLoc(), value.getType(),
                                  value, tail.getFirst());
      }
      operand.set(rows);
    }
  }
  tail.getResult().replaceAllUsesWith(tail.getX());
  tail.erase();
}

struct RaiseTailPass : impl::RaiseTailBase<RaiseTailPass> {
  void runOnOperation() override {
    llvm::SmallVector<ir::TailOp> found;
    getOperation().walk([&](ir::TailOp tail) {
      if (ir::tokensOf(tail.getX().getType()) == mlir::ShapedType::kDynamic)
        found.push_back(tail);
    });
    for (ir::TailOp tail : found)
      raise(tail);
  }
};

} // namespace
} // namespace qwen
