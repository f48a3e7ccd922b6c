// PlanWeights.cpp - the tensor section: one place for each distinct weight, in
// the order the decode step reads them.
//
// Needs   weights with a format
// Leaves  a `packed_weight` at the top of the module for each weight and RoPE
// table Here    the last use of the functions' weight order; planning buffers
// removes the functions
#include "passes/transforms/KernelCall.h"
#include "passes/transforms/Passes.h"
#include "passes/transforms/WeightLayout.h"

#include "llvm/ADT/MapVector.h"

namespace qwen {

#define GEN_PASS_DEF_PLANWEIGHTS
#include "passes/transforms/Passes.h.inc"

namespace {

constexpr int64_t kPage = 4096;
constexpr int64_t kLine = 64;
constexpr int64_t kPagedBytes =
    16 * kPage; // from here on a page of padding is no loss

struct PlanWeightsPass : impl::PlanWeightsBase<PlanWeightsPass> {
  llvm::MapVector<llvm::StringRef, mlir::Operation *>
      weights; // first read first

  void collect(mlir::func::FuncOp function) {
    function.walk([&](mlir::Operation *op) {
      for (mlir::Value operand : op->getOperands()) {
        mlir::Operation *source = operand.getDefiningOp();
        if (auto weight = llvm::dyn_cast_or_null<ir::WeightOp>(source))
          weights.insert({weight.getName(), source});
        else if (llvm::isa_and_nonnull<ir::RopeTableOp>(source))
          weights.insert({kRopeTableName, source});
      }
    });
  }

  void runOnOperation() override {
    weights.clear();
    if (auto decode = getOperation().lookupSymbol<mlir::func::FuncOp>("decode"))
      collect(decode);
    getOperation().walk(
        [&](mlir::func::FuncOp function) { collect(function); });

    mlir::OpBuilder builder =
        mlir::OpBuilder::atBlockBegin(getOperation().getBody());
    int64_t offset = 0;
    for (auto [name, source] : weights) {
      auto type = llvm::cast<ir::WeightType>(source->getResult(0).getType());
      if (type.isMatrix() &&
          !KernelCatalog::builtin().format(type.getFormat().str())) {
        source->emitError() << "has no packed format";
        return signalPassFailure();
      }
      int64_t bytes = weightLayout(type).bytes;
      offset = roundUp(offset, bytes >= kPagedBytes ? kPage : kLine);
      auto table = llvm::dyn_cast<ir::RopeTableOp>(source);
      ir::PackedWeightOp::create(
          builder, source->getLoc(), builder.getStringAttr(name),
          builder.getI64IntegerAttr(offset),
          table ? builder.getF64FloatAttr(table.getTheta().convertToDouble())
                : nullptr,
          mlir::TypeAttr::get(type));
      offset += bytes;
    }
  }
};

} // namespace
} // namespace qwen
