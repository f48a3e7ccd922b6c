// Link.h - joins the step object, the kernel objects and the runtime archives
// into one executable.
#pragma once

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace qwen {

struct LinkOptions {
  std::string linker;                // a C++ compiler driver
  std::vector<std::string> archives; // the runtime, in any order
  bool strip = true;
};

/// Links `objects` into the executable `output` (a temporary name is the
/// caller's business). It needs only libc.
llvm::Error linkExecutable(const std::vector<std::string> &objects,
                           const std::string &output,
                           const LinkOptions &options);

/// Appends the weights file to the executable at a multiple of 4096 bytes, then
/// the trailer that finds it.
llvm::Error embedWeights(const std::string &executable,
                         const std::string &weights);

} // namespace qwen
