// FuseSwiglu.cpp - the gate and up linears and SwiGLU become one op.
//
// Needs   graph ops
// Leaves  no swiglu of two linears that one kernel can do
// Here    before formats are chosen: both weights get one format or stay apart
#include "passes/transforms/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace qwen {

#define GEN_PASS_DEF_FUSESWIGLU
#include "passes/transforms/Passes.h.inc"

namespace {

using namespace mlir;

/// The linear without bias or residual that computes `value` for one reader.
ir::LinearOp soleLinear(Value value) {
  auto linear = value.getDefiningOp<ir::LinearOp>();
  return linear && value.hasOneUse() && !linear.getBias() &&
                 !linear.getResidual()
             ? linear
             : nullptr;
}

/// swiglu(linear x, linear x), both weights of one type.
struct LinearSwiglu : OpRewritePattern<ir::SwigluOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::SwigluOp swiglu,
                                PatternRewriter &rewriter) const override {
    ir::LinearOp gate = soleLinear(swiglu.getGate());
    ir::LinearOp up = soleLinear(swiglu.getUp());
    if (!gate || !up || gate.getX() != up.getX() ||
        gate.getWeight().getType() != up.getWeight().getType())
      return failure();
    rewriter
        .replaceOpWithNewOp<ir::LinearSwigluOp>(swiglu, swiglu.getType(),
                                                gate.getX(), gate.getWeight(),
                                                up.getWeight())
        ->setLoc(rewriter.getFusedLoc(
            {swiglu.getLoc(), gate.getLoc(), up.getLoc()}));
    return success();
  }
};

struct FuseSwigluPass : impl::FuseSwigluBase<FuseSwigluPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LinearSwiglu>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace qwen
