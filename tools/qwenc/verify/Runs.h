// Runs.h - an executable run in every way that may not change its results.
#pragma once

#include "tools/qwenc/verify/Executable.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace qwen::verify {

struct RunOptions {
  int64_t context;       // tokens that the cache can hold
  int64_t prefillChunk;  // most tokens of one step
  bool thorough = false; // all thread counts and several chunks, ten times
                         // each, with and without drafted tokens; else two runs
};

struct Runs {
  int64_t count = 0;
  std::string difference; // where the first run that differs does; empty: none
};

/// Logits for `ids` by threads and chunks, to the bit those of `logits`, and
/// greedy tokens with and without drafts.
llvm::Expected<Runs> compareRuns(const Executable &executable,
                                 const reference::Ids &ids,
                                 const reference::Rows &logits,
                                 const RunOptions &options);

/// Greedy tokens after `ids`, whose steps leave logits out, against a choice
/// among all logits.
llvm::Expected<Runs> compareScreened(const Executable &executable,
                                     const reference::Ids &ids,
                                     int64_t context);

} // namespace qwen::verify
