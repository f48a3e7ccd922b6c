// SelectFormats.cpp - from stored weights to packed ones, and from f32 rows to
// quantised rows where linears take them.
//
// Needs   graph or fused ops; matrices are `stored`
// Leaves  no `stored` weight; a linear reads quantised rows exactly when its
// weight's format takes them Here    after fusion, so that an op's weights are
// seen together; before kernels are chosen by format
#include "codegen/catalog/FormatChoice.h"
#include "passes/transforms/Passes.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

namespace qwen {

#define GEN_PASS_DEF_SELECTFORMATS
#include "passes/transforms/Passes.h.inc"

namespace {

constexpr llvm::StringLiteral kQuantizedRows = "q8g32";
constexpr int64_t kQuantizedGroup = 32;

/// The first format that keeps every value of the stored type; null when there
/// is none.
const CatalogFormat *losslessFormat(const KernelCatalog &catalog,
                                    llvm::StringRef storedType) {
  for (const CatalogFormat &format : catalog.formats)
    if (!format.storedTypes.empty() && format.storedTypes.front() == storedType)
      return &format;
  for (const CatalogFormat &format : catalog.formats)
    if (format.takesStored(storedType))
      return &format;
  return nullptr;
}

std::string formatsThatTake(const KernelCatalog &catalog,
                            llvm::StringRef storedType) {
  std::string names;
  for (const CatalogFormat &format : catalog.formats)
    if (format.takesStored(storedType))
      names += (names.empty() ? "" : ", ") + format.name;
  return names.empty() ? "none" : names;
}

struct SelectFormatsPass : impl::SelectFormatsBase<SelectFormatsPass> {
  using Base::Base;

  mlir::LogicalResult select(const FormatChoice &choice, ir::WeightOp op) {
    const KernelCatalog &catalog = KernelCatalog::builtin();
    ir::WeightType type = op.getType();
    if (!type.isStored())
      return mlir::success();
    const std::string &wanted = choice.of(op.getName());
    const CatalogFormat *chosen =
        wanted == FormatChoice::kStored
            ? losslessFormat(catalog, type.getFormat())
            : catalog.format(wanted);
    if (!chosen || (!anyStored && !chosen->takesStored(type.getFormat())))
      return op.emitError() << "`" << op.getName() << "` is stored as "
                            << type.getFormat() << ", which format `" << wanted
                            << "` does not take; formats that do: "
                            << formatsThatTake(catalog, type.getFormat());
    if (type.getDim(1) % chosen->innerMultiple != 0)
      return op.emitError()
             << "`" << op.getName() << "` has rows of " << type.getDim(1)
             << " values; format `" << chosen->name << "` needs a multiple of "
             << chosen->innerMultiple;
    op.getResult().setType(ir::WeightType::get(
        type.getContext(), type.getShape(), chosen->name, "panel16"));
    return mlir::success();
  }

  /// Whether every matrix that the op multiplies rows with takes quantised
  /// rows.
  bool takesQuantizedRows(mlir::Operation *op) {
    bool any = false;
    for (mlir::Value operand : op->getOperands())
      if (auto type = llvm::dyn_cast<ir::WeightType>(operand.getType());
          type && type.isMatrix()) {
        const CatalogFormat *format =
            KernelCatalog::builtin().format(type.getFormat().str());
        if (!format || !format->takesActivation(kQuantizedRows.str()) ||
            type.getDim(1) % kQuantizedGroup != 0)
          return false;
        any = true;
      }
    return any;
  }

  void quantizeRows(mlir::func::FuncOp function) {
    llvm::DenseMap<mlir::Value, mlir::Value>
        quantized; // one for all readers of the same rows
    function.walk([&](mlir::Operation *op) {
      mlir::OpOperand *rows =
          llvm::TypeSwitch<mlir::Operation *, mlir::OpOperand *>(op)
              .Case<ir::LinearOp, ir::LinearSwigluOp, ir::LinearRopeOp,
                    ir::LinearRopeAppendOp, ir::LinearAppendOp>(
                  [](auto linear) { return &linear.getXMutable(); })
              .Default(nullptr);
      if (!rows || llvm::isa<ir::ActType>(rows->get().getType()) ||
          !takesQuantizedRows(op))
        return;
      mlir::Value &shared = quantized[rows->get()];
      if (!shared) {
        mlir::OpBuilder builder(op->getContext());
        builder.setInsertionPointAfterValue(rows->get());
        auto width = llvm::cast<mlir::RankedTensorType>(rows->get().getType())
                         .getDimSize(1);
        shared = ir::QuantizeOp::create(
            builder, op->getLoc(),
            ir::ActType::get(op->getContext(), width, kQuantizedRows),
            rows->get());
      }
      rows->set(shared);
    });
  }

  /// One kernel decodes both weights of a fused pair.
  mlir::LogicalResult checkPairs() {
    mlir::WalkResult walk = getOperation().walk([](ir::LinearSwigluOp op) {
      const llvm::StringRef gate = op.getGate().getType().getFormat(),
                            up = op.getUp().getType().getFormat();
      if (gate == up)
        return mlir::WalkResult::advance();
      auto nameOf = [](mlir::Value weight) {
        auto named = weight.getDefiningOp<ir::WeightOp>();
        return named ? named.getName() : "a weight";
      };
      op.emitError() << "`" << nameOf(op.getGate()) << "` would be " << gate
                     << " and `" << nameOf(op.getUp()) << "` " << up
                     << ", but one kernel computes both; give them one format "
                        "or leave out qwen-fuse-swiglu";
      return mlir::WalkResult::interrupt();
    });
    return mlir::failure(walk.wasInterrupted());
  }

  void runOnOperation() override {
    std::string error;
    const std::optional<FormatChoice> choice =
        FormatChoice::parse(format, KernelCatalog::builtin(), error);
    if (!choice) {
      getOperation().emitError() << "option `format` " << error;
      return signalPassFailure();
    }
    mlir::WalkResult walk = getOperation().walk([&](ir::WeightOp op) {
      return mlir::failed(select(*choice, op)) ? mlir::WalkResult::interrupt()
                                               : mlir::WalkResult::advance();
    });
    if (walk.wasInterrupted() || mlir::failed(checkPairs()))
      return signalPassFailure();
    if (activations == kQuantizedRows)
      getOperation().walk(
          [&](mlir::func::FuncOp function) { quantizeRows(function); });
  }
};

} // namespace
} // namespace qwen
