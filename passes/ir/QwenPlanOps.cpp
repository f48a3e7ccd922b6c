// QwenPlanOps.cpp - the rules of the planned program.
#include "passes/ir/QwenOps.h"

using namespace mlir;

namespace qwen::ir {

LogicalResult StepOp::verify() {
  // step_c1
  if (getTokens() < 0)
    return emitOpError() << "has " << getTokens() << " tokens";
  // step_c2
  for (Operation &op : getBody().front())
    if (!isa<DispatchOp, BarrierOp, TapOp>(op))
      return op.emitOpError() << "is no dispatch, barrier or tap";
  return success();
}

LogicalResult DispatchOp::verify() {
  // dispatch_c1
  for (StringRef symbol : {getKernel(), getFewKernel().value_or(getKernel())})
    if (!symbol.starts_with("qk_"))
      return emitOpError() << "`" << symbol << "` is no kernel symbol";
  // dispatch_c2
  if (getChunks() <= 0 || getTokenBlock() < 0)
    return emitOpError() << "has " << getChunks() << " chunks and blocks of "
                         << getTokenBlock() << " rows";
  if (getSpan() < 0 || (getSpan() > 0 && getTokenBlock() > 0))
    return emitOpError() << "has spans of " << getSpan()
                         << " positions and blocks of " << getTokenBlock()
                         << " rows";
  // dispatch_c3
  bool shared = getMode() == Mode::Shared;
  if (shared ? getCounter() < 0 : getCounter() != -1)
    return emitOpError() << "a " << stringifyMode(getMode())
                         << " dispatch has counter " << getCounter();
  // dispatch_c4
  if (getOutputs().empty())
    return emitOpError() << "has no output";
  for (SlotAttr slot : getOutputs().getAsRange<SlotAttr>()) {
    Arena arena = slot.getArena();
    if (arena == Arena::Weights || arena == Arena::Ids)
      return emitOpError() << "writes to `" << stringifyArena(arena) << "`";
    // dispatch_c5
    if (shared == (arena == Arena::Scratch))
      return emitOpError() << "is " << stringifyMode(getMode())
                           << " and writes to `" << stringifyArena(arena)
                           << "`";
  }
  // dispatch_c6
  if (getFewKernel() && !rowsScalar())
    return emitOpError() << "has a kernel for few rows and no scalar of rows";
  return success();
}

std::optional<size_t> DispatchOp::rowsScalar() {
  for (auto [i, scalar] :
       llvm::enumerate(getScalars().getAsRange<ScalarAttr>()))
    if (scalar.getKind() == ScalarKind::Tokens)
      return i;
  return std::nullopt;
}

LogicalResult TapOp::verify() {
  // tap_c1
  size_t wanted = isa<ActType>(getType()) ? 3 : 1;
  if (auto cache = dyn_cast<CacheType>(getType()); cache && getCache())
    wanted = cache.getPlanes(*getCache()).size();
  if (getPlaces().size() != wanted)
    return emitOpError() << "has " << getPlaces().size() << " slots, not "
                         << wanted;
  // tap_c2
  for (SlotAttr slot : getPlaces().getAsRange<SlotAttr>())
    if (slot.getArena() == Arena::Weights || slot.getArena() == Arena::Ids)
      return emitOpError() << "reads `" << stringifyArena(slot.getArena())
                           << "`, which no op writes";
  // tap_c3
  if (getCache().has_value() != isa<CacheType>(getType()))
    return emitOpError() << "the kind is given exactly for a cache";
  return success();
}

LogicalResult PackedWeightOp::verify() {
  auto weight = cast<WeightType>(getType());
  // packed_weight_c1
  if (weight.isStored())
    return emitOpError() << "no format has been chosen for `" << getName()
                         << "`";
  // packed_weight_c2
  if (getOffset() < 0 || getOffset() % 64 != 0)
    return emitOpError() << "the offset is " << getOffset()
                         << ", not a multiple of 64";
  // packed_weight_c3
  if (getTheta().has_value() != weight.isRopeTable())
    return emitOpError() << "theta is given exactly for a RoPE table";
  return success();
}

} // namespace qwen::ir

#define GET_OP_CLASSES
#include "passes/ir/QwenOps.cpp.inc"
