// KernelObjects.h - one object file for each distinct kernel, from the cache or
// from `qwenc-kernel build`.
#pragma once

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace qwen {

struct KernelObjectOptions {
  std::string compiler;    // path of the qwenc-kernel program
  std::string cacheFolder; // empty: $XDG_CACHE_HOME/qwenc, else ~/.cache/qwenc
  int64_t jobs = 0; // processes at once; 0: as many as the machine has cores
};

/// $XDG_CACHE_HOME/qwenc, else ~/.cache/qwenc.
std::string defaultCacheFolder();

/// Hash of a program's bytes, as hexadecimal text: what another one has packed
/// is not reused.
llvm::Expected<std::string> programIdentity(const std::string &program);

/// Those of the kernel compiler and of qwenc-native beside it, which makes
/// machine code for it: objects of others are not reused.
llvm::Expected<std::string> compilerIdentity(const std::string &compiler);

/// Paths of the objects that define `symbols`, in the same order. Builds those
/// that the cache lacks.
llvm::Expected<std::vector<std::string>>
kernelObjects(const std::vector<std::string> &symbols,
              const KernelObjectOptions &options);

} // namespace qwen
