// SplitAttention.cpp - attention of one token becomes the sums of spans of the
// context, which a team of any size shares, and their merging.
//
// Needs   steps split by token count
// Leaves  where the context has several spans, `attention_span` and
// `attention_merge` for every `attention` of one row, with equal results
// Here    before @decode is copied for its screened head
#include "codegen/catalog/Catalog.h"
#include "passes/transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qwen {

#define GEN_PASS_DEF_SPLITATTENTION
#include "passes/transforms/Passes.h.inc"

namespace {

void split(ir::AttentionOp op) {
  mlir::OpBuilder builder(op);
  ir::CacheType keys = op.getKeys().getType();
  auto rows = llvm::cast<mlir::RankedTensorType>(op.getY().getType());
  mlir::Type parts = rows.clone(llvm::ArrayRef<int64_t>{
      rows.getDimSize(0), spanCount(keys.getPositions()) *
                              int64_t(op.getHeads()) *
                              partWidth(keys.getHeadWidth())});
  // The merging has the op's name: its result is the op's.
  mlir::Location where = mlir::NameLoc::get(
      builder.getStringAttr(ir::nameOf(op.getLoc()) + ".spans"), op.getLoc());
  mlir::Value spans = ir::AttentionSpanOp::create(
      builder, where, parts, op.getQ(), op.getKeys(), op.getValues(),
      op.getPosition(), op.getHeads());
  mlir::Value merged = ir::AttentionMergeOp::create(
      builder, op.getLoc(), rows, spans, op.getPosition(), op.getHeads());
  op.getResult().replaceAllUsesWith(merged);
  op.erase();
}

struct SplitAttentionPass : impl::SplitAttentionBase<SplitAttentionPass> {
  using Base::Base;

  void runOnOperation() override {
    if ((kvSplit > 0 ? int64_t(kvSplit) : kKvSplit) == kSplitHeads)
      return;
    llvm::SmallVector<ir::AttentionOp> found;
    getOperation().walk([&](ir::AttentionOp op) {
      if (ir::tokensOf(op.getQ().getType()) == 1 &&
          spanCount(op.getKeys().getType().getPositions()) > 1)
        found.push_back(op);
    });
    for (ir::AttentionOp op : found)
      split(op);
  }
};

} // namespace
} // namespace qwen
