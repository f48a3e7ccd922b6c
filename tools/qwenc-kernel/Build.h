// Build.h - compiles kernels, each in a child process of its own.
#pragma once

#include "codegen/catalog/KernelSymbol.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace qwen {

struct BuildOptions {
  std::filesystem::path
      directory; // objects become directory/SYMBOL.o, by rename
  int64_t jobs = 1;
  bool assembly = false; // write SYMBOL.s as well
  /// Called when a symbol is done, with the number done so far.
  std::function<void(const std::string &symbol, int64_t done)> progress;
  bool reuse = false;                 // take objects that are there already
  int64_t limitSeconds = 0;           // for one kernel; 0: none
  const volatile int *stop = nullptr; // starts no further kernel when set
};

/// Builds each distinct symbol; returns one `SYMBOL: reason` line for each that
/// failed.
std::vector<std::string> buildObjects(const std::vector<KernelSymbol> &symbols,
                                      const BuildOptions &options);

/// Writes the object (and assembly) of one symbol from this process; throws
/// KernelError or Halide::Error.
void compileObject(const KernelSymbol &symbol,
                   const std::filesystem::path &object, bool assembly);

} // namespace qwen
