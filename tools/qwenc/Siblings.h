// Siblings.h - the programs and libraries that are installed beside this one.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>

namespace qwen {

/// `path` relative to the folder of the running program.
std::string siblingOf(llvm::StringRef path);

} // namespace qwen
