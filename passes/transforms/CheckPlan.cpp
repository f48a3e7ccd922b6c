// CheckPlan.cpp - a walk over a step's dispatches that remembers which value
// lies where, and who touched what since the last barrier.
#include "passes/transforms/CheckPlan.h"

#include "passes/transforms/KernelCall.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

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
  StepCheck(mlir::func::FuncOp function, ir::StepOp step, int64_t rows)
      : function(function), step(step), rows(rows) {}

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
  Range rangeOf(mlir::Value value, ir::SlotAttr slot) const {
    int64_t begin = slot.getOffset();
    if (auto cache = llvm::dyn_cast<ir::CacheType>(value.getType()))
      return {slot.getArena(), begin, begin + cache.getBytes()};
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

  /// What an activation's argument is called by writers and readers alike.
  static std::string part(const KernelArgument &argument) {
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
    if (!symbol || dispatch.getKernel() != ir::getKernel(op)) {
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
      if (!isMemory(slot))
        continue;
      mlir::Value value = operandValue(op, argument.operand);
      if (auto cache = llvm::dyn_cast<ir::CacheType>(value.getType()))
        if (slot.getChunkBytes() !=
            chunkStep(op, argument.operand, *symbol).heads *
                (cache.getBytes() / cache.getHeads()))
          fault(op, "plan-buffers",
                "has chunks that do not go with the heads of its cache");
      input ? reads(op, value, argument, slot)
            : writes(op, value, argument, slot, dispatch, *symbol);
    }
  }

  void reads(mlir::Operation *op, mlir::Value value,
             const KernelArgument &argument, ir::SlotAttr slot) {
    Range range = rangeOf(value, slot);
    meet(op, range, false, false);
    read.push_back({range, op});
    if (llvm::isa<ir::CacheType>(value.getType()))
      return readsCache(op, value, range);
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
  void readsCache(mlir::Operation *op, mlir::Value value, const Range &range) {
    auto place = places.find({value.getAsOpaquePointer(), ""});
    if (place != places.end() && place->second.range.begin != range.begin)
      fault(op, "plan-buffers",
            "reads another cache than `" + ir::tapName(value.getDefiningOp()) +
                "` writes");
  }

  void writes(mlir::Operation *op, mlir::Value value,
              const KernelArgument &argument, ir::SlotAttr slot,
              ir::DispatchOp dispatch, const KernelSymbol &symbol) {
    Range range = rangeOf(value, slot);
    meet(op, range, true, false);
    for (auto &[key, place] : places)
      if (key.first != value.getAsOpaquePointer() && place.range.meets(range) &&
          place.intact) {
        place.intact = false;
        place.overwrittenBy = op;
      }
    int64_t chunks = dispatch.getChunks();
    if (!llvm::isa<ir::CacheType>(value.getType()) &&
        slot.getChunkBytes() * chunks > slot.getTokenBytes())
      fault(op, "plan-buffers", "has chunks that reach into the next row");
    if (chunks > 1 && slot.getChunkBytes() == 0)
      fault(op, "plan-buffers", "has chunks that write to one place");
    written.push_back({range, op});
    places[{value.getAsOpaquePointer(), part(argument)}] = {range, true,
                                                            nullptr};
  }
};

} // namespace

std::optional<PlanFault> checkPlan(mlir::ModuleOp scheduled,
                                   mlir::ModuleOp planned) {
  ir::PlanAttr plan = ir::getPlan(planned);
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
    if (auto fault = StepCheck(function, step, rows).run())
      return fault;
  }
  return std::nullopt;
}

} // namespace qwen
