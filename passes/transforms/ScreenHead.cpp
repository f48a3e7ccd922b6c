// ScreenHead.cpp - @decode_screened: @decode, but that its head reads a coarse
// copy of its weight and exact rows only where they may reach a floor.
//
// Needs   @decode; concrete formats, quantised rows
// Leaves  @decode as it was, beside a step that takes the floor's rank and
// margin too and gives the floor too, and whose logits below it may be minus
// infinity; the head's weight in a format that can be screened, in every step
// Here    after steps are split, since only @decode is screened; before kernels
// are chosen by format
#include "codegen/catalog/Catalog.h"
#include "passes/transforms/Passes.h"

#include "mlir/IR/IRMapping.h"

namespace qwen {

#define GEN_PASS_DEF_SCREENHEAD
#include "passes/transforms/Passes.h.inc"

namespace {

/// A smaller head is not worth two more barriers.
constexpr int64_t kLeastBytes = int64_t(4) << 20;

/// The format with equal scores that can be screened; null when there is none.
const CatalogFormat *screenable(llvm::StringRef format) {
  for (const CatalogFormat &other : KernelCatalog::builtin().formats)
    if (other.coarsePlanes > 0 &&
        (other.name == format || other.sameScoresAs == format))
      return &other;
  return nullptr;
}

struct Head {
  ir::LinearOp linear;
  ir::ArgmaxOp argmax;
  const CatalogFormat *format;
};

struct ScreenHeadPass : impl::ScreenHeadBase<ScreenHeadPass> {
  using Base::Base;

  /// The linear whose largest result is the step's token, if it can be
  /// screened; else `reason` says why not.
  static std::optional<Head> findHead(mlir::func::FuncOp decode,
                                      std::string &reason) {
    ir::ArgmaxOp argmax;
    decode.walk([&](ir::ArgmaxOp op) { argmax = op; });
    auto linear =
        argmax ? argmax.getLogits().getDefiningOp<ir::LinearOp>() : nullptr;
    if (!linear || linear.getBias() || linear.getResidual() ||
        !linear.getWeight().getDefiningOp<ir::WeightOp>()) {
      reason = "the head is no plain linear";
      return std::nullopt;
    }
    ir::WeightType type = linear.getWeight().getType();
    const CatalogFormat *format = screenable(type.getFormat());
    if (!format || !llvm::isa<ir::ActType>(linear.getX().getType())) {
      reason = "no coarse copy gives the scores of format `" +
               type.getFormat().str() + "` with its activations";
      return std::nullopt;
    }
    if (type.getDim(1) % format->innerMultiple != 0) {
      reason = "format `" + format->name + "` needs rows of a multiple of " +
               std::to_string(format->innerMultiple) +
               " values, and the head's have " + std::to_string(type.getDim(1));
      return std::nullopt;
    }
    return Head{linear, argmax, format};
  }

  static void rewrite(mlir::func::FuncOp screened, Head head) {
    mlir::OpBuilder builder(head.argmax);
    mlir::Block &body = screened.getBody().front();
    mlir::Type index = builder.getIndexType();
    mlir::Value rank = body.addArgument(index, screened.getLoc()),
                margin = body.addArgument(index, screened.getLoc());
    mlir::Location where = head.linear.getLoc();
    mlir::Value x = head.linear.getX(), weight = head.linear.getWeight();
    auto scores =
        llvm::cast<mlir::RankedTensorType>(head.linear.getY().getType());
    mlir::Type floorType =
        scores.clone(llvm::ArrayRef<int64_t>{scores.getDimSize(0), 1});
    mlir::Value coarse =
        ir::LinearCoarseOp::create(builder, where, scores, x, weight);
    mlir::Value floor =
        ir::ScoreFloorOp::create(builder, where, floorType, coarse, x, weight,
                                 rank, margin, head.argmax.getEligible());
    mlir::Value exact = ir::LinearRescoreOp::create(builder, where, scores,
                                                    coarse, floor, x, weight);
    mlir::Operation *linear = head.linear;
    linear->getResult(0).replaceAllUsesWith(exact);
    linear->erase();
    mlir::Operation *end = body.getTerminator();
    end->insertOperands(end->getNumOperands(), floor);
    screened.setFunctionType(builder.getFunctionType(body.getArgumentTypes(),
                                                     end->getOperandTypes()));
  }

  void runOnOperation() override {
    auto decode = getOperation().lookupSymbol<mlir::func::FuncOp>("decode");
    if (!decode || mode == "off")
      return;
    std::string reason;
    std::optional<Head> head = findHead(decode, reason);
    if (!head) {
      if (mode == "on") {
        decode.emitError() << "the head cannot be screened: " << reason;
        signalPassFailure();
      }
      return;
    }
    auto weight = head->linear.getWeight().getDefiningOp<ir::WeightOp>();
    ir::WeightType type = weight.getType();
    if (mode == "auto" &&
        head->format->bytes(type.getDim(0), type.getDim(1)) < kLeastBytes)
      return;
    // One copy serves every step, and an embedding tied to the head.
    auto packed = ir::WeightType::get(&getContext(), type.getShape(),
                                      head->format->name, type.getLayout());
    getOperation().walk([&](ir::WeightOp op) {
      if (op.getName() == weight.getName())
        op.getResult().setType(packed);
    });
    mlir::func::FuncOp screened = decode.clone();
    screened.setName("decode_screened");
    getOperation().getBody()->getOperations().insertAfter(
        mlir::Block::iterator(decode), screened);
    rewrite(screened, *findHead(screened, reason));
  }
};

} // namespace
} // namespace qwen
