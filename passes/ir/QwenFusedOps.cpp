// QwenFusedOps.cpp - the rules of the fused ops and of quantisation.
#include "passes/ir/Rules.h"

using namespace mlir;

namespace qwen::ir {

LogicalResult LinearSwigluOp::verify() {
  WeightType gate = getGate().getType();
  // linear_swiglu_c1
  if (gate != getUp().getType())
    return emitOpError() << "the gate weight is " << gate << ", the up weight "
                         << getUp().getType();
  // linear_swiglu_c2
  if (failed(verifyInner(*this, getX().getType(), gate)))
    return failure();
  // linear_swiglu_c3
  return verifyRows(*this, getX().getType(), getY().getType(), gate.getDim(0));
}

LogicalResult LinearRopeOp::verify() {
  WeightType weight = getWeight().getType(), table = getTable().getType();
  // linear_rope_c1
  if (failed(verifyInner(*this, getX().getType(), weight)))
    return failure();
  // linear_rope_c2
  if (failed(verifyRows(*this, getX().getType(), getY().getType(),
                        weight.getDim(0))))
    return failure();
  // linear_rope_c3
  if (failed(verifyBias(*this, getBias(), weight.getDim(0))))
    return failure();
  // linear_rope_c4
  if (failed(verifyTable(*this, table, getHeads(), weight.getDim(0))))
    return failure();
  // linear_rope_c5
  if (failed(verifyHeadNorm(*this, getNorm(), table)))
    return failure();
  // linear_rope_c6
  return verifyEps(*this, getNorm(), getEps());
}

LogicalResult LinearRopeAppendOp::verify() {
  WeightType weight = getWeight().getType(), table = getTable().getType();
  CacheType cache = getCache().getType();
  // linear_rope_append_c1
  if (failed(verifyInner(*this, getX().getType(), weight)))
    return failure();
  // linear_rope_append_c2
  if (getHeads() != cache.getHeads() ||
      weight.getDim(0) != cache.getHeads() * cache.getHeadWidth())
    return emitOpError() << getHeads() << " heads in rows of "
                         << weight.getDim(0) << " do not fit the cache "
                         << cache;
  // linear_rope_append_c3
  if (failed(verifyBias(*this, getBias(), weight.getDim(0))))
    return failure();
  // linear_rope_append_c4
  if (failed(verifyTable(*this, table, getHeads(), weight.getDim(0))))
    return failure();
  // linear_rope_append_c5
  if (failed(verifyHeadNorm(*this, getNorm(), table)))
    return failure();
  // linear_rope_append_c6
  if (failed(verifyEps(*this, getNorm(), getEps())))
    return failure();
  // linear_rope_append_c7
  if (getResult().getType() != cache)
    return emitOpError() << "the cache is " << cache << ", the result "
                         << getResult().getType();
  return success();
}

LogicalResult LinearAppendOp::verify() {
  WeightType weight = getWeight().getType();
  CacheType cache = getCache().getType();
  // linear_append_c1
  if (failed(verifyInner(*this, getX().getType(), weight)))
    return failure();
  // linear_append_c2
  if (weight.getDim(0) != cache.getHeads() * cache.getHeadWidth())
    return emitOpError() << "rows of " << weight.getDim(0)
                         << " do not fit the cache " << cache;
  // linear_append_c3
  if (failed(verifyBias(*this, getBias(), weight.getDim(0))))
    return failure();
  // linear_append_c4
  if (getResult().getType() != cache)
    return emitOpError() << "the cache is " << cache << ", the result "
                         << getResult().getType();
  return success();
}

LogicalResult QuantizeOp::verify() {
  // quantize_c1
  if (widthOf(getX().getType()) != widthOf(getY().getType()))
    return emitOpError() << "x has width " << widthOf(getX().getType())
                         << ", the result " << widthOf(getY().getType());
  return success();
}

} // namespace qwen::ir
