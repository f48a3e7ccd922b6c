// PassTrace.h - what a pipeline leaves behind: the IR after each pass, and the
// time each took.
#pragma once

#include "passes/pipeline/Pipeline.h"

#include <chrono>
#include <string>
#include <utility>

namespace qwen {

class PassTrace {
public:
  /// Without a folder nothing is dumped.
  PassTrace(std::string folder, Timings &timings)
      : folder(std::move(folder)), timings(timings) {}

  /// Writes `NN-name.mlir`: the module, or `(unchanged)` when it equals the one
  /// before. A file that cannot be written is skipped: dumps are for reading,
  /// not results.
  void dump(llvm::StringRef name, mlir::ModuleOp module);

  /// Runs `work` and books its time under `name`.
  template <typename Work> auto timed(const std::string &name, Work work) {
    auto start = std::chrono::steady_clock::now();
    auto result = work();
    timings.emplace_back(name, std::chrono::duration<double>(
                                   std::chrono::steady_clock::now() - start)
                                   .count());
    return result;
  }

private:
  std::string folder, previous;
  int64_t count = 0;
  Timings &timings;
};

} // namespace qwen
