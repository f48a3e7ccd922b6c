// SplitSteps.cpp - one step function for a single token, one for a chunk of
// tokens.
//
// Needs   a function @step over T tokens
// Leaves  @decode, whose rows are 1 up to `tail`, and @prefill, which is @step
// Here    before kernels are chosen: a kernel is built for one token or for
// many
#include "passes/transforms/Passes.h"

#include "llvm/ADT/SmallVector.h"

namespace qwen {

#define GEN_PASS_DEF_SPLITSTEPS
#include "passes/transforms/Passes.h.inc"

namespace {

/// The type with its leading, run-time dimension set to one.
mlir::Type forOneToken(mlir::Type type) {
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  if (!tensor || tensor.getRank() == 0 || !tensor.isDynamicDim(0))
    return type;
  llvm::SmallVector<int64_t> shape(tensor.getShape());
  shape[0] = 1;
  return tensor.clone(shape);
}

/// Rows below `tail` may be none or one even in a decode step, so they stay a
/// run-time number.
bool comesFromTail(mlir::Operation *op,
                   const llvm::DenseSet<mlir::Operation *> &below) {
  if (llvm::isa<ir::TailOp>(op))
    return true;
  return llvm::any_of(op->getOperands(), [&](mlir::Value value) {
    return value.getDefiningOp() && below.contains(value.getDefiningOp());
  });
}

struct SplitStepsPass : impl::SplitStepsBase<SplitStepsPass> {
  void runOnOperation() override {
    auto prefill = getOperation().lookupSymbol<mlir::func::FuncOp>("step");
    if (!prefill)
      return;
    mlir::func::FuncOp decode = prefill.clone();
    decode.setName("decode");
    prefill.setName("prefill");
    getOperation().getBody()->getOperations().insert(
        mlir::Block::iterator(prefill), decode);

    mlir::Block &body = decode.getBody().front();
    for (mlir::BlockArgument argument : body.getArguments())
      argument.setType(forOneToken(argument.getType()));
    llvm::DenseSet<mlir::Operation *> below;
    for (mlir::Operation &op : body.without_terminator()) {
      if (comesFromTail(&op, below)) {
        below.insert(&op);
        continue;
      }
      for (mlir::Value result : op.getResults())
        result.setType(forOneToken(result.getType()));
    }
    decode.setFunctionType(
        mlir::FunctionType::get(&getContext(), body.getArgumentTypes(),
                                body.getTerminator()->getOperandTypes()));
  }
};

} // namespace
} // namespace qwen
