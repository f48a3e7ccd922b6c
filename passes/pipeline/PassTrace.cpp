// PassTrace.cpp - dumps after passes.
#include "passes/pipeline/PassTrace.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

namespace qwen {

void PassTrace::dump(llvm::StringRef name, mlir::ModuleOp module) {
  if (folder.empty() || llvm::sys::fs::create_directories(folder))
    return;
  std::string text, file;
  llvm::raw_string_ostream stream(text);
  module.print(stream, mlir::OpPrintingFlags().enableDebugInfo());
  llvm::raw_string_ostream(file)
      << llvm::format("%02d-", int(count++)) << name << ".mlir";
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, file);
  std::error_code error;
  llvm::raw_fd_ostream out(path, error);
  if (!error)
    out << (text == previous ? "(unchanged)\n" : text);
  previous = std::move(text);
}

} // namespace qwen
