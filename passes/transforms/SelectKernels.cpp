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
    auto text = llvm::MemoryBuffer::getFile(schedule);
    if (!text)
      return getOperation().emitError() << "cannot read `" << schedule
                                        << "`: " << text.getError().message();
    std::string error;
    points = ScheduleFile::parse((*text)->getBuffer().str(),
                                 KernelCatalog::builtin(), error);
    if (!points)
      return getOperation().emitError() << "`" << schedule << "`: " << error;
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
    bool failed = false;
    getOperation().walk([&](mlir::func::FuncOp function) {
      int64_t tokens = stepTokens(function);
      function.walk([&](mlir::Operation *op) {
        if (!ir::isCompute(op))
          return;
        KernelRequest request = kernelRequest(op, tokens);
        std::string error;
        std::optional<KernelSymbol> symbol = catalog.chooseSymbol(
            request.kernel, request.options, request.dims, machine->name,
            points ? &*points : nullptr, error);
        if (symbol)
          return ir::setKernel(op, symbol->str());
        op->emitError() << "no kernel for `" << op->getName().getStringRef()
                        << "`: " << error;
        failed = true;
      });
    });
    if (failed)
      signalPassFailure();
  }
};

} // namespace
} // namespace qwen
