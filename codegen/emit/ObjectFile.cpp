// ObjectFile.cpp - translation to LLVM IR and code emission through LLVM's
// target machine.
#include "codegen/emit/ObjectFile.h"

#include "codegen/emit/OutputFile.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

namespace qwen {
namespace {

llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
makeTargetMachine(const llvm::Triple &triple) {
  llvm::InitializeAllTargetInfos();
  llvm::InitializeAllTargets();
  llvm::InitializeAllTargetMCs();
  llvm::InitializeAllAsmPrinters();
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return userError("no code generator for `" + triple.str() +
                     "`: " + message);
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, "generic", "", {}, llvm::Reloc::PIC_,
                                  std::nullopt, llvm::CodeGenOptLevel::Less));
}

} // namespace

std::string hostTriple() { return llvm::sys::getDefaultTargetTriple(); }

llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLLVMIR(mlir::ModuleOp module, llvm::LLVMContext &context,
                  const std::string &triple) {
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  module.getContext()->appendDialectRegistry(registry);
  std::unique_ptr<llvm::Module> result =
      mlir::translateModuleToLLVMIR(module, context, "step");
  if (!result)
    return llvm::createStringError(
        "the llvm dialect does not translate to LLVM IR");

  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine =
      makeTargetMachine(llvm::Triple(triple));
  if (!machine)
    return machine.takeError();
  result->setTargetTriple(llvm::Triple(triple));
  result->setDataLayout((*machine)->createDataLayout());

  std::string message;
  llvm::raw_string_ostream stream(message);
  if (llvm::verifyModule(*result, &stream))
    return llvm::createStringError("the emitted LLVM IR is not valid: " +
                                   message);
  return result;
}

llvm::Expected<std::string> emitObject(llvm::Module &module) {
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine =
      makeTargetMachine(module.getTargetTriple());
  if (!machine)
    return machine.takeError();
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr,
                                      llvm::CodeGenFileType::ObjectFile))
    return userError("the code generator of `" +
                     module.getTargetTriple().str() +
                     "` writes no object files");
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

} // namespace qwen
