// QwenScreenOps.cpp - the rules of the ops of a screened head.
#include "passes/ir/Rules.h"

using namespace mlir;

namespace qwen::ir {
namespace {

LogicalResult verifyPacked(Operation *op, Type x, WeightType weight) {
  if (weight.isStored())
    return op->emitOpError() << "the weight is " << weight << ", not packed";
  return verifyInner(op, x, weight);
}

LogicalResult verifyFloor(Operation *op, Type coarse, Type floor) {
  if (widthOf(floor) != 1)
    return op->emitOpError()
           << "the floor has width " << widthOf(floor) << ", not 1";
  if (tokensOf(coarse) != tokensOf(floor))
    return op->emitOpError() << "the floor " << floor
                             << " has other rows than the scores " << coarse;
  return success();
}

LogicalResult verifyScores(Operation *op, Type scores, WeightType weight) {
  if (widthOf(scores) != weight.getDim(0))
    return op->emitOpError() << "the scores have width " << widthOf(scores)
                             << ", not " << weight.getDim(0);
  return success();
}

} // namespace

LogicalResult LinearCoarseOp::verify() {
  WeightType weight = getWeight().getType();
  // linear_coarse_c1
  if (failed(verifyPacked(*this, getX().getType(), weight)))
    return failure();
  // linear_coarse_c2
  return verifyScores(*this, getY().getType(), weight);
}

LogicalResult ScoreFloorOp::verify() {
  WeightType weight = getWeight().getType();
  // score_floor_c1
  if (failed(verifyPacked(*this, getX().getType(), weight)))
    return failure();
  // score_floor_c2
  if (failed(verifyScores(*this, getCoarse().getType(), weight)) ||
      failed(verifyFloor(*this, getCoarse().getType(), getY().getType())))
    return failure();
  // score_floor_c3
  if (getEligible() <= 0 || getEligible() > weight.getDim(0))
    return emitOpError() << getEligible() << " of " << weight.getDim(0)
                         << " rows cannot be eligible";
  return success();
}

LogicalResult LinearRescoreOp::verify() {
  WeightType weight = getWeight().getType();
  // linear_rescore_c1
  if (failed(verifyPacked(*this, getX().getType(), weight)))
    return failure();
  // linear_rescore_c2
  if (getCoarse().getType() != getY().getType())
    return emitOpError() << "the coarse scores are " << getCoarse().getType()
                         << ", the result " << getY().getType();
  if (failed(verifyScores(*this, getY().getType(), weight)))
    return failure();
  // linear_rescore_c3
  return verifyFloor(*this, getCoarse().getType(), getFloor().getType());
}

} // namespace qwen::ir
