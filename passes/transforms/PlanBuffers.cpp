// PlanBuffers.cpp - values become places in an arena, ops become dispatches,
// functions become steps.
//
// Needs   kernel and partition on every compute op; `packed_weight` ops
// Leaves  steps without tensors, and the module's plan
// Here    last before lowering: what follows knows only memory
#include "passes/transforms/BufferPlanner.h"
#include "passes/transforms/KernelCall.h"
#include "passes/transforms/Passes.h"
#include "passes/transforms/WeightLayout.h"

#include "llvm/ADT/StringMap.h"

namespace qwen {

#define GEN_PASS_DEF_PLANBUFFERS
#include "passes/transforms/Passes.h.inc"

namespace {

/// Rows of logits that one prefill step can leave: each is a whole vocabulary.
constexpr int64_t kMostLogitsRows = 128;

/// Where the model's outputs lie: the same place in every step.
struct OutputPlaces {
  int64_t argmaxOffset = 0, logitsOffset = 0, logitsStride = 0, bytes = 0;
};

struct PlanBuffersPass : impl::PlanBuffersBase<PlanBuffersPass> {
  using Base::Base;

  llvm::StringMap<ir::PackedWeightOp> weights;
  int64_t weightsBytes = 0, cacheBytes = 0, scratchBytes = 0, arenaBytes = 0,
          counters = 0;

  ir::PackedWeightOp packed(mlir::Value value) {
    if (auto weight = value.getDefiningOp<ir::WeightOp>())
      return weights.lookup(weight.getName());
    return weights.lookup(kRopeTableName);
  }

  /// The cache that a chain of appends writes; each threads it through its
  /// first operand.
  static ir::CacheOp cacheOf(mlir::Value value) {
    mlir::Operation *op = value.getDefiningOp();
    while (op && !llvm::isa<ir::CacheOp>(op))
      op = op->getOperand(0).getDefiningOp();
    return llvm::dyn_cast_or_null<ir::CacheOp>(op);
  }

  /// Byte offset of a layer's keys or values.
  static int64_t cacheOffset(mlir::Value value) {
    ir::CacheOp cache = cacheOf(value);
    if (!cache)
      return 0;
    ir::CacheType type = cache.getType();
    int64_t keys = type.getBytes(ir::CacheKind::Key);
    return int64_t(cache.getLayer()) *
               (keys + type.getBytes(ir::CacheKind::Value)) +
           (cache.getKind() == ir::CacheKind::Value ? keys : 0);
  }

  /// The slot of one buffer argument of the op's kernel.
  ir::SlotAttr slot(mlir::Operation *op, const KernelArgument &argument,
                    const KernelSymbol &symbol, const BufferPlanner &buffers) {
    mlir::Value value = operandValue(op, argument.operand);
    ChunkStep step = chunkStep(op, argument.operand, symbol);
    mlir::MLIRContext *context = op->getContext();
    if (auto type = llvm::dyn_cast<ir::WeightType>(value.getType())) {
      int64_t offset = packed(value).getOffset();
      if (type.isRopeTable()) {
        int64_t row = rowStride(type.getDim(1)) * 4;
        return ir::SlotAttr::get(context, ir::Arena::Weights, offset, 0, row,
                                 row, 0, 0);
      }
      if (type.isVector())
        return ir::SlotAttr::get(context, ir::Arena::Weights, offset,
                                 step.rows * 4, 0, 0, 0, 0);
      const PlanePlace plane = weightLayout(type).planes[argument.plane];
      int64_t chunk =
          step.rows ? plane.plane->streamBytes(step.rows, type.getDim(1)) : 0;
      return ir::SlotAttr::get(context, ir::Arena::Weights,
                               offset + plane.offsetBytes, chunk, 0, 0, 0, 0);
    }
    if (auto type = llvm::dyn_cast<ir::CacheType>(value.getType())) {
      CachePlace place = cachePlace(type, argument);
      return ir::SlotAttr::get(
          context, ir::Arena::Cache, cacheOffset(value) + place.offsetBytes,
          step.heads * place.headBytes, 0, 0, 0, spanBytes(op, argument));
    }
    bool fromTail = false;
    if (auto tail = value.getDefiningOp<ir::TailOp>()) {
      value = tail.getX();
      fromTail = true;
    }
    if (llvm::isa<mlir::BlockArgument>(value))
      return ir::SlotAttr::get(context, ir::Arena::Ids, 0, 0, 4, 0,
                               fromTail ? 4 : 0, 0);
    BufferPlace place = buffers.place(value, argument.name);
    return ir::SlotAttr::get(context, place.arena, place.offsetBytes,
                             step.columns * place.elementBytes, place.rowBytes,
                             0, fromTail ? place.rowBytes : 0,
                             spanBytes(op, argument));
  }

  ir::ScalarAttr scalar(mlir::Operation *op, const KernelArgument &argument) {
    mlir::Builder builder(op->getContext());
    if (std::optional<double> value = constantScalar(op, argument.operand))
      return ir::ScalarAttr::get(op->getContext(), ir::ScalarKind::Constant,
                                 builder.getF32FloatAttr(*value));
    auto kind = argument.operand == "position" ? ir::ScalarKind::Position
                : argument.operand == "rank"   ? ir::ScalarKind::Rank
                : argument.operand == "margin" ? ir::ScalarKind::Margin
                                               : ir::ScalarKind::Tokens;
    return ir::ScalarAttr::get(op->getContext(), kind, nullptr);
  }

  mlir::LogicalResult dispatch(mlir::Operation *op, mlir::OpBuilder &builder,
                               const BufferPlanner &buffers, bool belowTail,
                               int64_t &counter) {
    std::string error;
    std::optional<KernelSymbol> symbol =
        KernelSymbol::parse(ir::getKernel(op).str());
    ir::PartitionAttr partition = ir::getPartition(op);
    if (!symbol || !partition)
      return op->emitError() << "has no kernel or no partition";
    auto arguments = KernelCatalog::builtin().arguments(symbol->kernel,
                                                        symbol->options, error);
    if (!arguments)
      return op->emitError() << error;
    llvm::SmallVector<mlir::Attribute> inputs, scalars, outputs;
    for (const KernelArgument &argument : *arguments) {
      if (argument.role == "scalar") {
        scalars.push_back(scalar(op, argument));
        continue;
      }
      mlir::Value value = operandValue(op, argument.operand);
      if (value && llvm::isa<ir::WeightType>(value.getType()) && !packed(value))
        return op->emitError() << "`" << argument.operand
                               << "` has no place in the weights file";
      if (!value)
        return op->emitError() << "has nothing for the operand `"
                               << argument.operand << "` of its kernel";
      (argument.role == "input" ? inputs : outputs)
          .push_back(slot(op, argument, *symbol, buffers));
    }
    bool shared = partition.getMode() == ir::Mode::Shared;
    ir::RowRange range = belowTail ? ir::RowRange::Tail : ir::RowRange::All;
    ir::DispatchOp::create(
        builder, op->getLoc(), builder.getStringAttr(ir::getKernel(op)),
        ir::getFewKernel(op), partition.getMode(), range, partition.getChunks(),
        partition.getTokenBlock(), partition.getSpan(), shared ? counter++ : -1,
        builder.getArrayAttr(inputs), builder.getArrayAttr(scalars),
        builder.getArrayAttr(outputs));
    if (taps)
      tap(op, builder, range, outputs);
    return mlir::success();
  }

  /// The whole result lies where the first chunk's does.
  static void tap(mlir::Operation *op, mlir::OpBuilder &builder,
                  ir::RowRange range, llvm::ArrayRef<mlir::Attribute> outputs) {
    llvm::SmallVector<mlir::Attribute> places;
    for (mlir::Attribute output : outputs) {
      auto slot = llvm::cast<ir::SlotAttr>(output);
      places.push_back(ir::SlotAttr::get(op->getContext(), slot.getArena(),
                                         slot.getOffset(), 0,
                                         slot.getTokenBytes(), 0, 0, 0));
    }
    mlir::Value result = op->getResult(0);
    ir::CacheKindAttr kind;
    if (llvm::isa<ir::CacheType>(result.getType()))
      if (ir::CacheOp cache = cacheOf(result))
        kind = cache.getKindAttr();
    ir::TapOp::create(builder, op->getLoc(), ir::tapName(op), ir::getKernel(op),
                      range, builder.getArrayAttr(places), kind,
                      result.getType());
  }

  mlir::LogicalResult planStep(mlir::func::FuncOp function,
                               const BufferPlanner &buffers) {
    mlir::OpBuilder builder(function);
    auto step = ir::StepOp::create(builder, function.getLoc(),
                                   function.getName(), stepTokens(function));
    builder.createBlock(&step.getBody());
    llvm::DenseSet<mlir::Value> below; // values with rows from `tail`
    int64_t counter = 0;
    for (mlir::Operation &op : function.getBody().front()) {
      if (llvm::isa<ir::BarrierOp>(op))
        ir::BarrierOp::create(builder, op.getLoc());
      bool belowTail = llvm::isa<ir::TailOp>(op) ||
                       llvm::any_of(op.getOperands(), [&](mlir::Value value) {
                         return below.contains(value);
                       });
      if (belowTail)
        below.insert(op.getResults().begin(), op.getResults().end());
      if (ir::isCompute(&op) &&
          failed(dispatch(&op, builder, buffers, belowTail, counter)))
        return mlir::failure();
    }
    counters = std::max(counters, counter);
    return mlir::success();
  }

  void runOnOperation() override {
    weights.clear();
    weightsBytes = cacheBytes = scratchBytes = arenaBytes = counters = 0;
    getOperation().walk([&](ir::PackedWeightOp op) {
      weights[op.getName()] = op;
      weightsBytes = std::max<int64_t>(
          weightsBytes,
          op.getOffset() +
              weightLayout(llvm::cast<ir::WeightType>(op.getType())).bytes);
    });
    getOperation().walk([&](ir::CacheOp op) {
      cacheBytes = std::max(
          cacheBytes, cacheOffset(op) + op.getType().getBytes(op.getKind()));
    });

    // The outputs come last: they are large, and most of their rows are never
    // touched.
    llvm::SmallVector<mlir::func::FuncOp> functions(
        getOperation().getOps<mlir::func::FuncOp>());
    std::vector<BufferPlanner> planners;
    for (mlir::func::FuncOp function : functions) {
      planners.emplace_back(
          function, stepTokens(function) ? stepTokens(function) : prefillChunk,
          taps);
      arenaBytes = std::max(arenaBytes, planners.back().arenaBytes());
      scratchBytes = std::max(scratchBytes, planners.back().scratchBytes());
    }
    int64_t logitsRows = std::min<int64_t>(prefillChunk, kMostLogitsRows);
    OutputPlaces outputs;
    outputs.argmaxOffset = roundUp(arenaBytes, kBufferAlignment);
    outputs.logitsOffset = roundUp(
        outputs.argmaxOffset + (logitsRows + kSpareRows) * 4, kBufferAlignment);
    for (BufferPlanner &planner : planners)
      outputs.logitsStride = std::max(
          outputs.logitsStride,
          planner.placeOutputs(outputs.argmaxOffset, outputs.logitsOffset));
    arenaBytes = outputs.logitsOffset +
                 (logitsRows + kSpareRows) * outputs.logitsStride * 4;

    for (auto [function, planner] : llvm::zip(functions, planners))
      if (failed(planStep(function, planner)))
        return signalPassFailure();
    for (mlir::func::FuncOp function : functions)
      function.erase();
    ir::setPlan(getOperation(),
                ir::PlanAttr::get(&getContext(), weightsBytes, cacheBytes,
                                  arenaBytes, scratchBytes, counters,
                                  prefillChunk, logitsRows,
                                  outputs.logitsOffset, outputs.logitsStride,
                                  outputs.argmaxOffset));
  }
};

} // namespace
} // namespace qwen
