// Model.h - the model in this executable, ready to run: checked CPU, mapped
// weights, team, session.
#ifndef QWEN_RUNTIME_CLI_MODEL_H
#define QWEN_RUNTIME_CLI_MODEL_H

#include "runtime/cli/Command.h"
#include "runtime/core/Session.h"
#include "runtime/core/Weights.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qwen {

/// Of the plans that the executable was linked with, the best for this CPU.
const qwen_plan &modelPlan();

/// The options that every command which runs the model has.
struct ModelOptions {
  std::string weights;
  std::optional<int64_t> threads, chunk;
  bool poison = false;

  /// `--weights` alone, for commands that run nothing.
  OptionRow weightsRow();
  /// All rows. `--poison` is one of them so that tests need no other build.
  std::vector<OptionRow> rows();

  /// Threads to use: as asked, else `defaultThreads`.
  Result<int64_t> teamThreads() const;
};

struct Model {
  const qwen_plan &plan = modelPlan();
  Weights weights;
  std::unique_ptr<Team> team;
  std::unique_ptr<Session> session;

  /// Checks the CPU before anything generated may run, then opens the weights
  /// and builds the session.
  static Result<std::unique_ptr<Model>> open(const ModelOptions &options);
};

} // namespace qwen

#endif
