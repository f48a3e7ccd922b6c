// Progress.h - what a search says while it runs, on standard error.
#pragma once

#include "codegen/catalog/Tuned.h"

#include <string>

namespace qwen {

class Progress {
public:
  explicit Progress(double budgetSeconds);

  /// What is being searched; on a terminal only, on a line that is rewritten.
  void working(const KernelSymbol &symbol, double elapsed);
  /// A kernel is done: its time beside the roof and the default, time left.
  void kernel(const TunedKernel &kernel, double elapsed);
  void note(const std::string &text);
  /// The last lines: the gain over all kernels, and what was not reached.
  void finish(const TunedFile &file, bool interrupted, int64_t unreached,
              int64_t fixedKernels, const std::string &path);

  int64_t total = 0, done = 0;

private:
  const double budget;
  const bool terminal;

  void clear();
  std::string left(double elapsed) const;
};

} // namespace qwen
