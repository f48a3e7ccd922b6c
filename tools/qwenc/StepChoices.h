// StepChoices.h - the choices of a model's whole steps, tuned end to end.
#pragma once

#include "codegen/catalog/Tuned.h"
#include "tools/qwenc/CompileOptions.h"

#include <functional>
#include <string>

namespace qwen {

struct StepRequest {
  CompileOptions options; // completed; the kernels' results are its `tuned`
  std::string threads;    // "1,2"; the largest team is measured
  double seconds = 0;     // for all of it
};

/// Compiles the model with each value of each choice and weights of zeros, runs
/// them beside the best so far in rotation, and keeps a value that is faster.
/// `keep` is called when a choice is made; choices that `found` has already are
/// not measured again. Returns false after an interrupt, with all executables
/// gone.
bool tuneSteps(const StepRequest &request, TunedModel &found,
               const std::function<bool(const TunedModel &)> &keep);

} // namespace qwen
