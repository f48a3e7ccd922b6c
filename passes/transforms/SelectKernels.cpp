// SelectKernels.cpp - the symbol of the kernel that does each compute op, its
// chunk size and schedule point included.
//
// Needs   weights with a format; steps split by token count
// Leaves  `qwen.kernel` on every compute op
// Here    before partition, which cuts an op into chunks of the size in the
// symbol
#include "passes/transforms/KernelCall.h"
#include "passes/transforms/Passes.h"

#include "llvm/Support/MemoryBuffer.h"

namespace qwen {

#define GEN_PASS_DEF_SELECTKERNELS
#include "passes/transforms/Passes.h.inc"

namespace {

struct SelectKernelsPass : impl::SelectKernelsBase<SelectKernelsPass> {
  using Base::Base;

  mlir::LogicalResult readSchedule(std::optional<ScheduleFile> &points) {
    if (schedule.empty())
      return mlir::success();
    mlir::Location file =
        mlir::FileLineColLoc::get(&getContext(), schedule, 0, 0);
    auto text = llvm::MemoryBuffer::getFile(schedule);
    if (!text)
      return mlir::emitError(file)
             << "cannot be read: " << text.getError().message();
    std::string error;
    points = ScheduleFile::parse((*text)->getBuffer().str(),
                                 KernelCatalog::builtin(), error);
    if (!points)
      return mlir::emitError(file) << error;
    return mlir::success();
  }

  void runOnOperation() override {
    const KernelCatalog &catalog = KernelCatalog::builtin();
    const CatalogTarget *machine =
        target.empty() ? catalog.host() : catalog.target(target);
    std::optional<ScheduleFile> points;
    if (!machine) {
      getOperation().emitError() << "no target `" << target << "`";
      return signalPassFailure();
    }
    if (failed(readSchedule(points)))
      return signalPassFailure();
    const ScheduleFile *overrides = points ? &*points : nullptr;
    for (auto function : getOperation().getOps<mlir::func::FuncOp>()) {
      int64_t tokens = stepTokens(function);
      mlir::WalkResult walk = function.walk([&](mlir::Operation *op) {
        if (!ir::isCompute(op))
          return mlir::WalkResult::advance();
        KernelRequest request = kernelRequest(op, tokens);
        std::string error;
        std::optional<KernelSymbol> symbol =
            catalog.chooseSymbol(request.kernel, request.options, request.dims,
                                 machine->name, overrides, error);
        if (!symbol) {
          op->emitError() << "no kernel for `" << op->getName().getStringRef()
                          << "` (" << ir::nameOf(op->getLoc())
                          << "): " << error;
          return mlir::WalkResult::interrupt();
        }
        ir::setKernel(op, symbol->str());
        return mlir::WalkResult::advance();
      });
      if (walk.wasInterrupted())
        return signalPassFailure();
    }
  }
};

} // namespace
} // namespace qwen
