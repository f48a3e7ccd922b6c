// FuseResidual.cpp - a linear adds the residual to its own result.
//
// Needs   graph ops
// Leaves  no add of a linear that only the add reads
// Here    after FuseRope and FuseSwiglu, whose linears have no residual
#include "passes/transforms/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace qwen {

#define GEN_PASS_DEF_FUSERESIDUAL
#include "passes/transforms/Passes.h.inc"

namespace {

using namespace mlir;

/// add(residual, linear) and add(linear, residual); the sum of two does not
/// depend on their order.
struct LinearResidual : OpRewritePattern<ir::AddOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::AddOp add,
                                PatternRewriter &rewriter) const override {
    for (auto [value, residual] : {std::pair{add.getB(), add.getA()},
                                   std::pair{add.getA(), add.getB()}}) {
      auto linear = value.getDefiningOp<ir::LinearOp>();
      if (!linear || !value.hasOneUse() || linear.getResidual())
        continue;
      rewriter
          .replaceOpWithNewOp<ir::LinearOp>(add, add.getType(), linear.getX(),
                                            linear.getWeight(),
                                            linear.getBias(), residual)
          ->setLoc(rewriter.getFusedLoc({add.getLoc(), linear.getLoc()}));
      return success();
    }
    return failure();
  }
};

struct FuseResidualPass : impl::FuseResidualBase<FuseResidualPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LinearResidual>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace qwen
