// FuseRope.cpp - what follows a q, k or v linear becomes part of it.
//
// Needs   graph ops
// Leaves  no rope or append whose input only a linear computes, but appends to
//         a quantised cache
// Here    before formats are chosen: the fused ops are what has kernels
#include "passes/transforms/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace qwen {

#define GEN_PASS_DEF_FUSEROPE
#include "passes/transforms/Passes.h.inc"

namespace {

using namespace mlir;

/// The linear that computes `value` for one reader only, if its kernel has room
/// for an epilogue.
ir::LinearOp soleLinear(Value value) {
  auto linear = value.getDefiningOp<ir::LinearOp>();
  return linear && value.hasOneUse() && !linear.getResidual() ? linear
                                                              : nullptr;
}

/// rope(linear) and rope(rms_norm(linear)), the norm being one of the same
/// heads.
struct LinearRope : OpRewritePattern<ir::RopeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::RopeOp rope,
                                PatternRewriter &rewriter) const override {
    Value x = rope.getX();
    auto norm = x.getDefiningOp<ir::RmsNormOp>();
    if (norm) {
      if (!x.hasOneUse() || norm.getHeads() != rope.getHeads())
        return failure();
      x = norm.getX();
    }
    ir::LinearOp linear = soleLinear(x);
    if (!linear)
      return failure();
    SmallVector<Location> places{rope.getLoc()};
    if (norm)
      places.push_back(norm.getLoc());
    places.push_back(linear.getLoc());
    rewriter
        .replaceOpWithNewOp<ir::LinearRopeOp>(
            rope, rope.getType(), linear.getX(), linear.getWeight(),
            linear.getBias(), norm ? Value(norm.getWeight()) : Value(),
            rope.getTable(), rope.getPosition(), rope.getHeadsAttr(),
            norm ? norm.getEpsAttr() : FloatAttr())
        ->setLoc(rewriter.getFusedLoc(places));
    return success();
  }
};

/// key_append(linear_rope) at the positions that were rotated for.
struct LinearRopeAppend : OpRewritePattern<ir::KeyAppendOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::KeyAppendOp append,
                                PatternRewriter &rewriter) const override {
    auto rope = append.getX().getDefiningOp<ir::LinearRopeOp>();
    if (!rope || !append.getX().hasOneUse() ||
        append.getCache().getType().isQuantised() ||
        rope.getPosition() != append.getPosition() ||
        rope.getHeads() != append.getCache().getType().getHeads())
      return failure();
    rewriter
        .replaceOpWithNewOp<ir::LinearRopeAppendOp>(
            append, append.getType(), append.getCache(), rope.getX(),
            rope.getWeight(), rope.getBias(), rope.getNorm(), rope.getTable(),
            rope.getPosition(), rope.getHeadsAttr(), rope.getEpsAttr())
        ->setLoc(rewriter.getFusedLoc({append.getLoc(), rope.getLoc()}));
    return success();
  }
};

/// value_append(linear).
struct LinearAppend : OpRewritePattern<ir::ValueAppendOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::ValueAppendOp append,
                                PatternRewriter &rewriter) const override {
    ir::LinearOp linear = soleLinear(append.getX());
    if (!linear || append.getCache().getType().isQuantised())
      return failure();
    rewriter
        .replaceOpWithNewOp<ir::LinearAppendOp>(
            append, append.getType(), append.getCache(), linear.getX(),
            linear.getWeight(), linear.getBias(), append.getPosition())
        ->setLoc(rewriter.getFusedLoc({append.getLoc(), linear.getLoc()}));
    return success();
  }
};

struct FuseRopePass : impl::FuseRopeBase<FuseRopePass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LinearRope, LinearRopeAppend, LinearAppend>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace qwen
