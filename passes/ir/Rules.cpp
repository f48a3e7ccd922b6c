// Rules.cpp - constraints that several ops share.
#include "passes/ir/Rules.h"

using namespace mlir;

namespace qwen::ir {

LogicalResult verifyInner(Operation *op, Type x, WeightType weight) {
  if (!weight.isMatrix())
    return op->emitOpError() << "the weight is " << weight << ", not a matrix";
  if (widthOf(x) != weight.getDim(1))
    return op->emitOpError() << "x has width " << widthOf(x)
                             << ", the weight takes " << weight.getDim(1);
  return success();
}

LogicalResult verifyRows(Operation *op, Type x, Type y, int64_t width) {
  if (widthOf(y) != width)
    return op->emitOpError()
           << "the result has width " << widthOf(y) << ", not " << width;
  if (!isa<ActType>(x) && tokensOf(x) != tokensOf(y))
    return op->emitOpError()
           << "the result " << y << " has other rows than the operand " << x;
  return success();
}

LogicalResult verifyAttention(Operation *op, Type q, CacheType keys,
                              CacheType values, int64_t heads) {
  if (keys != values)
    return op->emitOpError() << "keys are " << keys << ", values " << values;
  if (heads <= 0 || widthOf(q) != heads * keys.getHeadWidth())
    return op->emitOpError()
           << heads << " heads of width " << keys.getHeadWidth()
           << " do not make rows of " << widthOf(q);
  if (heads % keys.getHeads() != 0)
    return op->emitOpError() << heads << " query heads cannot share "
                             << keys.getHeads() << " key/value heads";
  return success();
}

LogicalResult verifyBias(Operation *op, Value bias, int64_t width) {
  if (!bias)
    return success();
  auto type = cast<WeightType>(bias.getType());
  if (!type.isVector() || type.getDim(0) != width)
    return op->emitOpError()
           << "the bias is " << type << ", not a `vec` of " << width;
  return success();
}

LogicalResult verifyTable(Operation *op, WeightType table, int64_t heads,
                          int64_t width) {
  if (!table.isRopeTable())
    return op->emitOpError()
           << "the table is " << table << ", not a RoPE table";
  if (heads <= 0 || width != heads * table.getDim(1))
    return op->emitOpError() << heads << " heads of width " << table.getDim(1)
                             << " do not make rows of " << width;
  return success();
}

LogicalResult verifyHeadNorm(Operation *op, Value norm, WeightType table) {
  if (!norm)
    return success();
  auto type = cast<WeightType>(norm.getType());
  if (!type.isVector() || type.getDim(0) != table.getDim(1))
    return op->emitOpError() << "the norm weight is " << type
                             << ", not a `vec` of " << table.getDim(1);
  return success();
}

LogicalResult verifyEps(Operation *op, Value norm,
                        std::optional<llvm::APFloat> eps) {
  if (bool(norm) != eps.has_value())
    return op->emitOpError() << "eps is given exactly when a norm weight is";
  if (eps && !(eps->convertToDouble() > 0))
    return op->emitOpError()
           << "eps is " << eps->convertToDouble() << ", not positive";
  return success();
}

} // namespace qwen::ir
