// Partition.cpp - who computes what: chunks and token blocks of every op, and
// the barriers between threads.
//
// Needs   a kernel on every compute op
// Leaves  `qwen.partition` on every compute op; a barrier wherever an op reads
// what other threads wrote since the last Here    before buffers are planned:
// memory is reused only across barriers
#include "passes/transforms/KernelCall.h"
#include "passes/transforms/Passes.h"

#include "llvm/ADT/DenseSet.h"

namespace qwen {

#define GEN_PASS_DEF_PARTITION
#include "passes/transforms/Passes.h.inc"

namespace {

constexpr int64_t kRowBlock =
    8; // rows of a call of an op that works row by row
constexpr int64_t kAttentionBlock = 16; // rows of an attention call: R of its
                                        // heads share one pass over the cache

/// Ops that compute each row from the same row, cheap enough to be repeated by
/// every thread when there is one row.
bool isRowOp(mlir::Operation *op) {
  return llvm::isa<ir::EmbeddingOp, ir::RmsNormOp, ir::QuantizeOp, ir::RopeOp,
                   ir::SwigluOp, ir::AddOp, ir::ScoreFloorOp,
                   ir::AttentionMergeOp>(op);
}

/// Rows in one call; a multiple of the kernel's token tile, so that no call
/// touches another call's rows.
int64_t tokenBlock(mlir::Operation *op, const KernelSymbol &symbol,
                   int64_t tokens, int64_t attentionRows) {
  if (tokens == 1 || symbol.dim("m") > 0)
    return 0; // a linear reads its weights once for all rows
  return roundUp(llvm::isa<ir::AttentionOp>(op) ? attentionRows : kRowBlock,
                 tokenTile(symbol));
}

struct PartitionPass : impl::PartitionBase<PartitionPass> {
  using Base::Base;

  mlir::LogicalResult partition(mlir::Operation *op, int64_t tokens) {
    std::optional<KernelSymbol> symbol =
        KernelSymbol::parse(ir::getKernel(op).str());
    if (!symbol)
      return op->emitError() << "has no kernel";
    ir::Mode mode =
        tokens == 1 && isRowOp(op) ? ir::Mode::Replicated : ir::Mode::Shared;
    ir::setPartition(op,
                     ir::PartitionAttr::get(
                         op->getContext(), mode, chunkCount(op, *symbol),
                         tokenBlock(op, *symbol, tokens,
                                    attentionRows > 0 ? int64_t(attentionRows)
                                                      : kAttentionBlock),
                         spanOf(op)));
    return mlir::success();
  }

  mlir::LogicalResult runOnStep(mlir::func::FuncOp function) {
    int64_t tokens = stepTokens(function);
    llvm::DenseSet<mlir::Value>
        unsettled; // written by several threads since the last barrier
    for (mlir::Operation &op :
         llvm::make_early_inc_range(function.getBody().front())) {
      if (auto tail = llvm::dyn_cast<ir::TailOp>(op);
          tail && unsettled.contains(tail.getX()))
        unsettled.insert(tail.getY());
      // Barriers are placed anew, so that a step may be partitioned twice.
      if (llvm::isa<ir::BarrierOp>(op)) {
        op.erase();
        continue;
      }
      if (!ir::isCompute(&op))
        continue;
      if (failed(partition(&op, tokens)))
        return mlir::failure();
      if (llvm::any_of(op.getOperands(), [&](mlir::Value value) {
            return unsettled.contains(value);
          })) {
        mlir::OpBuilder builder(&op);
        ir::BarrierOp::create(builder, op.getLoc());
        unsettled.clear();
      }
      if (ir::getPartition(&op).getMode() == ir::Mode::Shared)
        unsettled.insert(op.getResults().begin(), op.getResults().end());
    }
    return mlir::success();
  }

  void runOnOperation() override {
    bool failed = false;
    getOperation().walk([&](mlir::func::FuncOp function) {
      failed |= mlir::failed(runOnStep(function));
    });
    if (failed)
      signalPassFailure();
  }
};

} // namespace
} // namespace qwen
