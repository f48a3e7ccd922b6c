// Tuner.h - the search over the kernels of one model: budget, compiling,
// measuring, results on disk.
#pragma once

#include "codegen/catalog/Tuned.h"
#include "codegen/tuning/Search.h"
#include "tools/qwenc-kernel/tune/Roof.h"
#include "tools/qwenc-kernel/tune/Runner.h"

#include <optional>
#include <string>
#include <vector>

namespace qwen {

struct TuneRequest {
  struct Row {
    KernelSymbol symbol; // at the point it would be built with otherwise
    int64_t calls;       // in one step
  };
  std::vector<Row> kernels;
  std::string target, output;
  std::string objects; // folder of compiled kernels; empty: a scratch folder
  double budgetSeconds = 600;
  int64_t candidates = 0; // at most, for one kernel; 0: what the budget allows
  int64_t jobs = 1;
  uint64_t seed = 1;
  Strategy strategy = Strategy::Evolve;
  Workload workload;
  std::optional<ScheduleFile> seeds; // points to try first
  bool again = false;                // measures what the output has already
  bool exhaustive = false;           // every legal point, and no patience
};

/// 0, 1 after a message, or 130 when it was interrupted; what is done is in the
/// output in any case.
int tuneKernels(const KernelCatalog &catalog, const TuneRequest &request);

/// Set by SIGINT and SIGTERM while tuneKernels runs.
extern volatile int tuneStop;

} // namespace qwen
