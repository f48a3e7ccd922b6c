// CompileOptions.h - everything `qwenc compile` can be told.
#pragma once

#include "passes/pipeline/Pipeline.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qwen {

namespace bits {
class Search;
struct Requantised;
} // namespace bits

struct CompileOptions {
  std::string model;
  std::string
      output; // empty: standard output for texts, refused for obj and exe
  std::string cacheType; // empty: f32 with f32 activations, else int16
  std::optional<int64_t>
      context; // absent: 4096, or what the model can if that is less
  std::vector<std::string> ignoredKeys;
  std::string linker;        // a C++ compiler driver
  int64_t barrierSpinUs = 0; // 0: the runtime's default
  int64_t jobs = 0;          // 0: as many as the machine has cores
  bool embedWeights = false;
  bool check = false;       // compare with the model, and say so in `info`
  bool pack = true;         // else the weights come from another build
  bool zeroWeights = false; // in place of the model's: to measure speed
  bool time = false;
  // One executable carries all of them, best first; `pipeline.target` is the
  // one that is being built.
  std::vector<std::string> targets;
  std::string stop = "exe";
  bool ignoreTuned = false; // takes no results of `tune` by itself
  PipelineOptions pipeline;

  // The mean bits of a weight that formats are chosen for, and the text or ids
  // that they are measured and values are rounded with; empty: a built-in text.
  std::optional<double> bits;
  std::string calibratePath, calibrateIds;
  std::shared_ptr<const bits::Search> search; // its figures; null: not yet
  // Values that the packer takes in place of the model's; null: none.
  std::shared_ptr<const bits::Requantised> requantised;

  // What the command line gave and a named build must not override.
  bool formatGiven = false, activationsGiven = false, targetGiven = false,
       prefillChunkGiven = false;
};

/// Declares the options of `compile`.
void declare(CompileOptions &options, CLI::App &command);

/// Declares those of them that say what is built, for other subcommands.
void declareBuild(CompileOptions &options, CLI::App &command);

/// Declares what `--bits` calibrates with.
void declareCalibration(CompileOptions &options, CLI::App &command);

/// `qwenc compile` with these options; the exit code.
int compileModel(const CompileOptions &options);

/// Fills in defaults that depend on others and checks values against the
/// catalog; the message of the first problem.
std::optional<std::string> resolve(CompileOptions &options);

} // namespace qwen
