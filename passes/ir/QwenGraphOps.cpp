// QwenGraphOps.cpp - the rules of the graph ops.
#include "passes/ir/Rules.h"

#include <cmath>

using namespace mlir;

namespace qwen::ir {

LogicalResult WeightOp::verify() {
  // weight_c1
  if (getName().empty())
    return emitOpError() << "the name is empty";
  // weight_c2
  if (getResult().getType().isRopeTable())
    return emitOpError() << "a RoPE table is computed, not stored";
  return success();
}

LogicalResult RopeTableOp::verify() {
  // rope_table_c1
  if (!getResult().getType().isRopeTable())
    return emitOpError() << "the result is " << getResult().getType()
                         << ", not a RoPE table";
  // rope_table_c2
  double theta = getTheta().convertToDouble();
  if (!(theta > 0) || std::isinf(theta))
    return emitOpError() << "theta is " << theta << ", not positive and finite";
  return success();
}

LogicalResult CacheOp::verify() {
  // cache_c1
  if (getLayer() < 0)
    return emitOpError() << "the layer is " << getLayer();
  return success();
}

LogicalResult EmbeddingOp::verify() {
  WeightType weight = getWeight().getType();
  // embedding_c1
  if (!weight.isMatrix())
    return emitOpError() << "the weight is " << weight << ", not a matrix";
  // embedding_c2
  return verifyRows(*this, getIds().getType(), getY().getType(),
                    weight.getDim(1));
}

LogicalResult RmsNormOp::verify() {
  WeightType weight = getWeight().getType();
  // rms_norm_c1
  if (!weight.isVector())
    return emitOpError() << "the weight is " << weight << ", not a `vec`";
  // rms_norm_c2
  int64_t width = widthOf(getX().getType());
  if (getHeads() <= 0 || width != getHeads() * weight.getDim(0))
    return emitOpError() << getHeads() << " heads of width " << weight.getDim(0)
                         << " do not make rows of " << width;
  // rms_norm_c3
  if (!(getEps().convertToDouble() > 0))
    return emitOpError() << "eps is " << getEps().convertToDouble()
                         << ", not positive";
  return success();
}

LogicalResult LinearOp::verify() {
  WeightType weight = getWeight().getType();
  // linear_c1
  if (failed(verifyInner(*this, getX().getType(), weight)))
    return failure();
  // linear_c2
  if (failed(verifyRows(*this, getX().getType(), getY().getType(),
                        weight.getDim(0))))
    return failure();
  // linear_c3
  if (failed(verifyBias(*this, getBias(), weight.getDim(0))))
    return failure();
  // linear_c4
  if (getResidual() && getResidual().getType() != getY().getType())
    return emitOpError() << "the residual is " << getResidual().getType()
                         << ", the result " << getY().getType();
  return success();
}

LogicalResult RopeOp::verify() {
  // rope_c1
  return verifyTable(*this, getTable().getType(), getHeads(),
                     widthOf(getX().getType()));
}

static LogicalResult verifyAppend(Operation *op, CacheType cache, Type x) {
  int64_t width = cache.getHeads() * cache.getHeadWidth();
  if (widthOf(x) != width)
    return op->emitOpError()
           << "x has width " << widthOf(x) << ", the cache takes " << width;
  return success();
}

LogicalResult KeyAppendOp::verify() {
  // key_append_c1
  return verifyAppend(*this, getCache().getType(), getX().getType());
}

LogicalResult ValueAppendOp::verify() {
  // value_append_c1
  return verifyAppend(*this, getCache().getType(), getX().getType());
}

LogicalResult AttentionOp::verify() {
  // attention_c1, attention_c2, attention_c3
  return verifyAttention(*this, getQ().getType(), getKeys().getType(),
                         getValues().getType(), getHeads());
}

LogicalResult TailOp::verify() {
  // tail_c1
  if (widthOf(getX().getType()) != widthOf(getY().getType()))
    return emitOpError() << "x has width " << widthOf(getX().getType())
                         << ", the result " << widthOf(getY().getType());
  return success();
}

LogicalResult ArgmaxOp::verify() {
  // argmax_c1
  if (tokensOf(getLogits().getType()) != tokensOf(getY().getType()))
    return emitOpError() << "the result " << getY().getType()
                         << " has other rows than the logits "
                         << getLogits().getType();
  // argmax_c2
  int64_t width = widthOf(getLogits().getType());
  if (getEligible() <= 0 || getEligible() > width)
    return emitOpError() << getEligible() << " of " << width
                         << " logits cannot be eligible";
  return success();
}

} // namespace qwen::ir
