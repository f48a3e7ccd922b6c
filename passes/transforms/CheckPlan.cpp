// CheckPlan.cpp - a walk over a step's dispatches that remembers which value
// lies where, and who touched what since the last barrier.
#include "passes/transforms/CheckPlan.h"

#include "passes/transforms/KernelCall.h"
#include "passes/transforms/WeightLayout.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

namespace qwen {
namespace {

/// Bytes of an arena.
struct Range {
  ir::Arena arena;
  int64_t begin, end;
  bool meets(const Range &other) const {
    return arena == other.arena && begin < other.end && other.begin < end;
  }
};

struct Touch {
  Range range;
  mlir::Operation *op;
};

class StepCheck {
public:
  StepCheck(mlir::func::FuncOp function, ir::StepOp step, int64_t rows,
            const llvm::StringMap<int64_t> &weights)
      : function(function), step(step), rows(rows), weights(weights) {}

  std::optional<PlanFault> run() {
    auto next = step.getBody().front().begin(),
         end = step.getBody().front().end();
    int64_t barriersHere = 0, barriersThere = 0;
    for (mlir::Operation &op : function.getBody().front()) {
      barriersThere += llvm::isa<ir::BarrierOp>(op);
      if (!ir::isCompute(&op))
        continue;
      for (; next != end && !llvm::isa<ir::DispatchOp>(*next); ++next)
        if (llvm::isa<ir::BarrierOp>(*next)) {
          ++barriersHere;
          written.clear();
          read.clear();
        }
      if (next == end)
        return fault(&op, "plan-buffers", "has no dispatch");
      sameBarriers = barriersHere == barriersThere;
      visit(&op, llvm::cast<ir::DispatchOp>(*next++));
      if (found)
        return found;
    }
    return std::nullopt;
  }

private:
  mlir::func::FuncOp function;
  ir::StepOp step;
  int64_t rows;
  const llvm::StringMap<int64_t> &weights; // offsets by name
  bool sameBarriers = true;
  std::optional<PlanFault> found;
  llvm::SmallVector<Touch> written, read; // since the last barrier
  struct Place {
    Range range;
    bool intact;
    mlir::Operation *overwrittenBy;
  };
  // By value and argument: quantised rows lie in three places.
  std::map<std::pair<void *, std::string>, Place> places;

  std::optional<PlanFault> fault(mlir::Operation *op, const char *pass,
                                 const std::string &text) {
    if (!found)
      found = PlanFault{pass, ir::tapName(op), text};
    return found;
  }

  /// The bytes behind a slot over all chunks and rows.
  Range rangeOf(mlir::Value value, const KernelArgument &argument,
                ir::SlotAttr slot) const {
    int64_t begin = slot.getOffset();
    if (auto cache = llvm::dyn_cast<ir::CacheType>(value.getType()))
      return {slot.getArena(), begin,
              begin + cache.getHeads() * cachePlace(cache, argument).headBytes};
    return {slot.getArena(), begin, begin + rows * slot.getTokenBytes()};
  }

  static bool isMemory(ir::SlotAttr slot) {
    return slot.getArena() != ir::Arena::Weights &&
           slot.getArena() != ir::Arena::Ids;
  }

  static mlir::Value belowTail(mlir::Value value) {
    auto tail = value.getDefiningOp<ir::TailOp>();
    return tail ? mlir::Value(tail.getX()) : value;
  }

  /// What an activation's or a cache's argument is called by writers and
  /// readers alike.
  static std::string part(const KernelArgument &argument) {
    if (size_t dot = argument.name.find('.'); dot != std::string::npos)
      return argument.name.substr(dot);
    bool quantized = argument.name == "xq" || argument.name == "xs" ||
                     argument.name == "xsum";
    return quantized && argument.type != "f32" ? argument.name
           : argument.name == "xs"             ? "xs"
                                               : "";
  }

  /// No two threads may meet in `range` without a barrier, unless both read.
  void meet(mlir::Operation *op, const Range &range, bool writes, bool own) {
    if (own || range.arena == ir::Arena::Scratch)
      return;
    for (const Touch &other : written)
      if (other.op != op && other.range.meets(range))
        fault(op, sameBarriers ? "partition" : "plan-buffers",
              std::string(writes ? "writes over" : "reads") +
                  " what other threads may still be writing for `" +
                  ir::tapName(other.op) + "`: no barrier lies between");
    if (writes)
      for (const Touch &other : read)
        if (other.op != op && other.range.meets(range))
          fault(op, sameBarriers ? "plan-buffers" : "partition",
                "writes over what other threads may still be reading for `" +
                    ir::tapName(other.op) + "`");
  }

  void visit(mlir::Operation *op, ir::DispatchOp dispatch) {
    std::string error;
    std::optional<KernelSymbol> symbol =
        KernelSymbol::parse(dispatch.getKernel().str());
    if (!symbol || dispatch.getKernel() != ir::getKernel(op) ||
        dispatch.getFewKernelAttr() != ir::getFewKernel(op)) {
      fault(op, "plan-buffers", "is done by another kernel than was chosen");
      return;
    }
    auto arguments = KernelCatalog::builtin().arguments(symbol->kernel,
                                                        symbol->options, error);
    if (int64_t wanted = chunkCount(op, *symbol);
        wanted != int64_t(dispatch.getChunks()))
      fault(op,
            int64_t(ir::getPartition(op).getChunks()) == wanted ? "plan-buffers"
                                                                : "partition",
            "has " + std::to_string(dispatch.getChunks()) + " chunks of " +
                std::to_string(wanted));
    if (int64_t wanted = spanOf(op); wanted != int64_t(dispatch.getSpan()))
      fault(op,
            int64_t(ir::getPartition(op).getSpan()) == wanted ? "plan-buffers"
                                                              : "partition",
            "has spans of " + std::to_string(dispatch.getSpan()) +
                " positions, not " + std::to_string(wanted));
    size_t in = 0, out = 0;
    for (const KernelArgument &argument : *arguments) {
      if (argument.role == "scalar")
        continue;
      bool input = argument.role == "input";
      mlir::ArrayAttr slots =
          input ? dispatch.getInputs() : dispatch.getOutputs();
      size_t &index = input ? in : out;
      if (index >= slots.size()) {
        fault(op, "plan-buffers", "has too few slots");
        return;
      }
      auto slot = llvm::cast<ir::SlotAttr>(slots[index++]);
      mlir::Value value = operandValue(op, argument.operand);
      if (llvm::isa<ir::WeightType>(value.getType()))
        readsWeight(op, value, argument, slot, *symbol);
      if (!isMemory(slot))
        continue;
      movesByChunk(op, value, argument, slot, *symbol);
      input ? reads(op, value, argument, slot)
            : writes(op, value, argument, slot, dispatch);
    }
  }

  /// From one chunk to the next a slot moves by what a chunk reads or writes:
  /// then no two chunks of a dispatch write to one place.
  void movesByChunk(mlir::Operation *op, mlir::Value value,
                    const KernelArgument &argument, ir::SlotAttr slot,
                    const KernelSymbol &symbol) {
    ChunkStep step = chunkStep(op, argument.operand, symbol);
    auto cache = llvm::dyn_cast<ir::CacheType>(value.getType());
    int64_t wanted = cache ? step.heads * cachePlace(cache, argument).headBytes
                           : step.columns * (argument.type == "i8" ? 1 : 4);
    if (int64_t(slot.getChunkBytes()) != wanted)
      fault(op, "plan-buffers",
            "has chunks of " + std::to_string(wanted) + " bytes in `" +
                argument.operand + "` that start " +
                std::to_string(slot.getChunkBytes()) + " bytes apart");
    if (int64_t span = spanBytes(op, argument);
        int64_t(slot.getSpanBytes()) != span)
      fault(op, "plan-buffers",
            "has spans of " + std::to_string(span) + " bytes in `" +
                argument.operand + "` that start " +
                std::to_string(slot.getSpanBytes()) + " bytes apart");
    int64_t first =
        value.getDefiningOp<ir::TailOp>() ? slot.getTokenBytes() : 0;
    if (int64_t(slot.getFirstBytes()) != first)
      fault(op, "plan-buffers", "reads other rows of the tail than are left");
  }

  /// A parameter lies where the weights file has it, plane by plane.
  void readsWeight(mlir::Operation *op, mlir::Value value,
                   const KernelArgument &argument, ir::SlotAttr slot,
                   const KernelSymbol &symbol) {
    auto type = llvm::cast<ir::WeightType>(value.getType());
    auto parameter = value.getDefiningOp<ir::WeightOp>();
    llvm::StringRef name =
        parameter ? parameter.getName() : llvm::StringRef(kRopeTableName);
    auto place = weights.find(name);
    int64_t begin = place == weights.end() ? -1 : place->second, chunk = 0,
            row = 0;
    int64_t step = chunkStep(op, argument.operand, symbol).rows;
    if (type.isRopeTable()) {
      row = rowStride(type.getDim(1)) * 4;
    } else if (type.isVector()) {
      chunk = step * 4;
    } else {
      PlanePlace plane = weightLayout(type).planes[size_t(argument.plane)];
      begin += plane.offsetBytes;
      chunk = step ? plane.plane->streamBytes(step, type.getDim(1)) : 0;
    }
    if (place == weights.end() || slot.getArena() != ir::Arena::Weights ||
        int64_t(slot.getOffset()) != begin)
      fault(op, "plan-buffers",
            "reads `" + name.str() + "` at byte " +
                std::to_string(slot.getOffset()) +
                " of the weights; it is at " + std::to_string(begin));
    if (int64_t(slot.getChunkBytes()) != chunk ||
        int64_t(slot.getTokenBytes()) != row ||
        int64_t(slot.getPositionBytes()) != row)
      fault(op, "plan-buffers",
            "reads other rows of `" + name.str() + "` than its chunk's");
  }

  void reads(mlir::Operation *op, mlir::Value value,
             const KernelArgument &argument, ir::SlotAttr slot) {
    Range range = rangeOf(value, argument, slot);
    meet(op, range, false, false);
    read.push_back({range, op});
    if (llvm::isa<ir::CacheType>(value.getType()))
      return readsCache(op, value, argument, range);
    value = belowTail(value);
    auto place = places.find({value.getAsOpaquePointer(), part(argument)});
    std::string name = value.getDefiningOp()
                           ? ir::tapName(value.getDefiningOp())
                           : "an argument";
    if (place == places.end()) {
      fault(op, "plan-buffers", "reads `" + name + "` before it is there");
    } else if (place->second.range.arena != range.arena ||
               place->second.range.begin != range.begin ||
               place->second.range.end != range.end) {
      fault(op, "plan-buffers",
            "reads `" + name + "` at byte " + std::to_string(range.begin) +
                "; it was written to byte " +
                std::to_string(place->second.range.begin) +
                (place->second.range.begin == range.begin
                     ? " with rows of another length"
                     : ""));
    } else if (!place->second.intact) {
      fault(op, "plan-buffers",
            "reads `" + name + "`, which `" +
                ir::tapName(place->second.overwrittenBy) +
                "` has written over");
    }
  }

  /// Of a cache only its place is known: what lies in it is older than the
  /// step.
  void readsCache(mlir::Operation *op, mlir::Value value,
                  const KernelArgument &argument, const Range &range) {
    auto place = places.find({value.getAsOpaquePointer(), part(argument)});
    if (place != places.end() && place->second.range.begin != range.begin)
      fault(op, "plan-buffers",
            "reads another cache than `" + ir::tapName(value.getDefiningOp()) +
                "` writes");
  }

  void writes(mlir::Operation *op, mlir::Value value,
              const KernelArgument &argument, ir::SlotAttr slot,
              ir::DispatchOp dispatch) {
    Range range = rangeOf(value, argument, slot);
    meet(op, range, true, false);
    for (auto &[key, place] : places)
      if (key.first != value.getAsOpaquePointer() && place.range.meets(range) &&
          place.intact) {
        place.intact = false;
        place.overwrittenBy = op;
      }
    int64_t chunks = dispatch.getChunks();
    int64_t room =
        slot.getSpanBytes() > 0 ? slot.getSpanBytes() : slot.getTokenBytes();
    if (!llvm::isa<ir::CacheType>(value.getType()) &&
        slot.getChunkBytes() * chunks > room)
      fault(op, "plan-buffers", "has chunks that reach into the next row");
    written.push_back({range, op});
    places[{value.getAsOpaquePointer(), part(argument)}] = {range, true,
                                                            nullptr};
  }
};

} // namespace

std::optional<PlanFault> checkPlan(mlir::ModuleOp scheduled,
                                   mlir::ModuleOp planned) {
  ir::PlanAttr plan = ir::getPlan(planned);
  llvm::StringMap<int64_t> weights;
  for (auto weight : planned.getOps<ir::PackedWeightOp>())
    weights[weight.getName()] = weight.getOffset();
  for (auto step : planned.getOps<ir::StepOp>()) {
    auto function =
        scheduled.lookupSymbol<mlir::func::FuncOp>(step.getSymName());
    if (!plan || !function)
      return PlanFault{"plan-buffers", step.getSymName().str(),
                       "is no step of the scheduled module"};
    // The logits have rows of their own number; the others as many as a chunk.
    int64_t rows = step.getTokens() ? int64_t(step.getTokens())
                                    : int64_t(plan.getPrefillChunk());
    rows = std::min<int64_t>(rows, plan.getLogitsRows());
    if (auto fault = StepCheck(function, step, rows, weights).run())
      return fault;
  }
  return std::nullopt;
}

} // namespace qwen
