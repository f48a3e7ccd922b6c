// SelectKernels.cpp - the symbol of the kernel that does each compute op, its
// chunk size and schedule point included.
//
// Needs   weights with a format; steps split by token count
// Leaves  `qwen.kernel` on every compute op, `qwen.few_kernel` on linears of
// many tokens
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

  /// Adds a file's entries; later ones win. `machine` is empty for a file that
  /// the user named: its entries count wherever they were measured.
  mlir::LogicalResult readSchedule(llvm::StringRef path,
                                   const std::string &machine,
                                   ScheduleFile &points) {
    if (path.empty())
      return mlir::success();
    mlir::Location file = mlir::FileLineColLoc::get(&getContext(), path, 0, 0);
    auto text = llvm::MemoryBuffer::getFile(path);
    if (!text)
      return mlir::emitError(file)
             << "cannot be read: " << text.getError().message();
    std::string error;
    auto read = ScheduleFile::parse((*text)->getBuffer().str(),
                                    KernelCatalog::builtin(), error, machine);
    if (!read)
      return mlir::emitError(file) << error;
    llvm::append_range(points.entries, read->entries);
    return mlir::success();
  }

  void runOnOperation() override {
    const KernelCatalog &catalog = KernelCatalog::builtin();
    const CatalogTarget *machine =
        target.empty() ? catalog.host() : catalog.target(target);
    ScheduleFile points;
    if (!machine) {
      getOperation().emitError() << "no target `" << target << "`";
      return signalPassFailure();
    }
    if (failed(readSchedule(tuned, cpuName(), points)) ||
        failed(readSchedule(schedule, "", points)))
      return signalPassFailure();
    const int64_t wantedBytes =
        chunkBytes > 0 ? int64_t(chunkBytes) : kChunkBytes;
    for (auto function : getOperation().getOps<mlir::func::FuncOp>()) {
      int64_t tokens = stepTokens(function);
      mlir::WalkResult walk = function.walk([&](mlir::Operation *op) {
        if (!ir::isCompute(op))
          return mlir::WalkResult::advance();
        KernelRequest request = kernelRequest(op, tokens, wantedBytes);
        std::string error;
        std::optional<KernelSymbol> symbol =
            catalog.chooseSymbol(request.kernel, request.options, request.dims,
                                 machine->name, &points, error);
        if (!symbol) {
          op->emitError() << "no kernel for `" << op->getName().getStringRef()
                          << "` (" << ir::nameOf(op->getLoc())
                          << "): " << error;
          return mlir::WalkResult::interrupt();
        }
        ir::setKernel(op, symbol->str());
        if (std::optional<KernelSymbol> few = catalog.fewTokens(*symbol))
          ir::setFewKernel(op, few->str());
        return mlir::WalkResult::advance();
      });
      if (walk.wasInterrupted())
        return signalPassFailure();
    }
  }
};

} // namespace
} // namespace qwen
