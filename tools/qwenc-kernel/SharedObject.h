// SharedObject.h - compiled kernels, linked into one shared object and loaded
// into this process.
#pragma once

#include "tools/qwenc-kernel/Build.h"

#include <filesystem>
#include <string>
#include <vector>

namespace qwen {

class SharedObject {
public:
  /// Builds, links and loads the symbols in a scratch folder of its own.
  /// Failures are in `failures()`.
  SharedObject(const std::vector<KernelSymbol> &symbols, int64_t jobs);
  /// The same with objects in a folder of the caller's, and its limits.
  SharedObject(const std::vector<KernelSymbol> &symbols, BuildOptions options);
  ~SharedObject();
  SharedObject(const SharedObject &) = delete;
  SharedObject &operator=(const SharedObject &) = delete;

  const std::vector<std::string> &failures() const { return failureTexts; }
  void *find(const KernelSymbol &symbol) const; // null when it was not built

private:
  std::filesystem::path folder;
  void *handle = nullptr;
  std::vector<std::string> failureTexts;
};

} // namespace qwen
