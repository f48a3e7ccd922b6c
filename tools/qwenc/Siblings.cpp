// Siblings.cpp - paths from the running program's own.
#include "tools/qwenc/Siblings.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace qwen {

std::string siblingOf(llvm::StringRef path) {
  std::string self = llvm::sys::fs::getMainExecutable(nullptr, nullptr);
  llvm::SmallString<256> result(llvm::sys::path::parent_path(self));
  llvm::sys::path::append(result, path);
  llvm::sys::path::remove_dots(result, /*remove_dot_dot=*/true);
  return result.str().str();
}

} // namespace qwen
