// ChildProcess.h - runs the programs that do the work kept out of this process:
// the kernel compiler and the linker.
#pragma once

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace qwen {

/// Runs `program` (a path, or a name looked up in PATH) with `arguments` and
/// waits; both its output streams go to our
/// standard error. The error says what could not be started, or
/// how it ended.
llvm::Error runProgram(const std::string &program,
                       const std::vector<std::string> &arguments);

} // namespace qwen
