// QwenTypes.cpp - the rules of the types and of the structured attributes.
#include "passes/ir/QwenDialect.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace qwen::ir {

using Emit = llvm::function_ref<InFlightDiagnostic()>;

LogicalResult WeightType::verify(Emit emitError, ArrayRef<int64_t> shape,
                                 StringRef format, StringRef layout) {
  // weight_type_c1
  if (shape.empty() || llvm::any_of(shape, [](int64_t d) { return d <= 0; }))
    return emitError() << "a weight's dimensions are positive, got [" << shape
                       << "]";
  // weight_type_c2
  if (!llvm::is_contained({"stored", "panel16", "vec", "rope"}, layout))
    return emitError() << "`" << layout
                       << "` is no layout; layouts: stored, panel16, vec, rope";
  // weight_type_c3
  if (shape.size() != (layout == "vec" ? 1u : 2u))
    return emitError() << "a weight of layout `" << layout << "` has "
                       << (layout == "vec" ? 1 : 2) << " dimensions, got "
                       << shape.size();
  // weight_type_c4
  if (format.empty() ||
      ((layout == "vec" || layout == "rope") && format != "f32"))
    return emitError() << "a weight of layout `" << layout
                       << "` cannot have format `" << format << "`";
  // weight_type_c5
  if (layout == "rope" && shape[1] % 2 != 0)
    return emitError() << "the width of a RoPE table is even, got " << shape[1];
  return success();
}

LogicalResult CacheType::verify(Emit emitError, ArrayRef<int64_t> shape,
                                StringRef element) {
  // cache_type_c1
  if (shape.size() != 3 ||
      llvm::any_of(shape, [](int64_t d) { return d <= 0; }) ||
      shape[0] % 64 != 0)
    return emitError() << "a cache has three positive dimensions, the first a "
                          "multiple of 64, got ["
                       << shape << "]";
  // cache_type_c2
  if (element != "f32" && element != "f16" &&
      !cacheCode(std::string_view(element)))
    return emitError() << "a cache holds f32, f16, int16 or int8, got `"
                       << element << "`";
  return success();
}

LogicalResult ActType::verify(Emit emitError, int64_t width, StringRef format) {
  // act_type_c1
  if (format != "q8g32")
    return emitError() << "quantised rows are q8g32, got `" << format << "`";
  // act_type_c2
  if (width <= 0 || width % 32 != 0)
    return emitError()
           << "the width of q8g32 rows is a positive multiple of 32, got "
           << width;
  return success();
}

LogicalResult PartitionAttr::verify(Emit emitError, Mode mode, int64_t chunks,
                                    int64_t tokenBlock, int64_t span) {
  // partition_c1
  if (chunks <= 0 || tokenBlock < 0)
    return emitError() << "a partition has at least one chunk and no negative "
                          "token block, got "
                       << chunks << " and " << tokenBlock;
  if (span < 0 || (span > 0 && tokenBlock > 0))
    return emitError() << "a partition has no negative span, and none beside "
                          "token blocks, got "
                       << span << " and blocks of " << tokenBlock;
  return success();
}

LogicalResult SlotAttr::verify(Emit emitError, Arena arena, int64_t offset,
                               int64_t chunkBytes, int64_t tokenBytes,
                               int64_t positionBytes, int64_t firstBytes,
                               int64_t spanBytes) {
  // slot_c1
  for (int64_t bytes :
       {offset, chunkBytes, tokenBytes, positionBytes, firstBytes, spanBytes})
    if (bytes < 0)
      return emitError() << "a slot's offset and strides are not negative, got "
                         << bytes;
  // slot_c2
  if (arena == Arena::Ids && (offset != 0 || chunkBytes != 0))
    return emitError() << "a slot of `ids` has offset 0 and no chunk stride, "
                          "got "
                       << offset << " and " << chunkBytes;
  return success();
}

LogicalResult ScalarAttr::verify(Emit emitError, ScalarKind kind,
                                 FloatAttr value) {
  // scalar_c1
  if ((kind == ScalarKind::Constant) != bool(value) ||
      (value && !value.getType().isF32()))
    return emitError() << "an f32 value is given exactly for a `constant`";
  return success();
}

LogicalResult PlanAttr::verify(Emit emitError, int64_t weightsBytes,
                               int64_t cacheBytes, int64_t arenaBytes,
                               int64_t scratchBytes, int64_t counters,
                               int64_t prefillChunk, int64_t logitsRows,
                               int64_t logitsOffset, int64_t logitsStride,
                               int64_t argmaxOffset) {
  // plan_c1
  for (int64_t number :
       {weightsBytes, cacheBytes, arenaBytes, scratchBytes, counters,
        prefillChunk, logitsRows, logitsOffset, logitsStride, argmaxOffset})
    if (number < 0)
      return emitError() << "a plan's numbers are not negative, got " << number;
  // plan_c2
  if (logitsOffset + logitsRows * logitsStride * 4 > arenaBytes ||
      argmaxOffset + logitsRows * 4 > arenaBytes)
    return emitError() << "logits at " << logitsOffset << " and tokens at "
                       << argmaxOffset << " do not fit in an arena of "
                       << arenaBytes << " bytes";
  return success();
}

} // namespace qwen::ir
