// ObjectFile.h - machine code for the step functions: an LLVM dialect module
// becomes LLVM IR and an object file.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace qwen {

/// LLVM IR of a module that holds only the llvm dialect, verified, for the
/// machine `triple`. A step is a few hundred calls whose addresses the code
/// generator folds: no pass over the IR pays for its time, and the triple's
/// baseline processor serves every target.
llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLLVMIR(mlir::ModuleOp module, llvm::LLVMContext &context,
                  const std::string &triple);

/// The object file's bytes.
llvm::Expected<std::string> emitObject(llvm::Module &module);

/// The triple of this machine.
std::string hostTriple();

} // namespace qwen
