// QwenSplitOps.cpp - the rules of attention that is cut over the context.
#include "passes/ir/Rules.h"

using namespace mlir;

namespace qwen::ir {
namespace {

LogicalResult verifyOneRow(Operation *op, llvm::StringRef name, Type rows) {
  if (tokensOf(rows) != 1)
    return op->emitOpError() << name << " is " << rows << ", not one row";
  return success();
}

} // namespace

LogicalResult AttentionSpanOp::verify() {
  CacheType keys = getKeys().getType();
  // attention_span_c1, attention_span_c2, attention_span_c3
  if (failed(verifyAttention(*this, getQ().getType(), keys,
                             getValues().getType(), getHeads())) ||
      failed(verifyOneRow(*this, "q", getQ().getType())))
    return failure();
  // attention_span_c4
  int64_t width = widthOf(getY().getType()),
          wanted = spanCount(keys.getPositions()) * int64_t(getHeads()) *
                   partWidth(keys.getHeadWidth());
  if (width != wanted)
    return emitOpError() << "the result has width " << width << ", not "
                         << wanted;
  return verifyOneRow(*this, "the result", getY().getType());
}

LogicalResult AttentionMergeOp::verify() {
  int64_t width = widthOf(getY().getType()),
          parts = widthOf(getParts().getType()), heads = getHeads();
  // attention_merge_c1
  if (heads <= 0 || width % heads != 0)
    return emitOpError() << heads << " heads do not make rows of " << width;
  // attention_merge_c2
  if (int64_t one = heads * partWidth(width / heads);
      parts <= 0 || parts % one != 0)
    return emitOpError() << "the parts have width " << parts
                         << ", no multiple of " << one;
  // attention_merge_c3
  if (failed(verifyOneRow(*this, "parts", getParts().getType())))
    return failure();
  return verifyOneRow(*this, "the result", getY().getType());
}

} // namespace qwen::ir
