// Pipeline.h - the order of all passes, where it may stop, and what is printed
// on the way.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace qwen {

/// What `--emit` stops at; ARCHITECTURE.md says what holds from each one on.
enum class Stop {
  Spec,
  Graph,
  Fused,
  Scheduled,
  Planned,
  Llvm,
  Object,
  Executable
};

/// The stop named `text` ("spec", "graph", ...).
std::optional<Stop> parseStop(std::string_view text);
/// "spec, graph, ...": for messages.
std::string stopNames();

/// Seconds spent in each stage of a compilation, in the order they ran.
using Timings = std::vector<std::pair<std::string, double>>;

struct PipelineOptions {
  std::string format = "stored";
  bool anyStored = false; // the packer gets values in what each format takes
  std::string activations = "q8g32";
  std::string target;     // empty: this machine's
  std::string tuned;      // file of `tune` for this machine; may be empty
  std::string schedule;   // file whose points win over all others; may be empty
  int64_t chunkBytes = 0; // wanted weights of a chunk; 0: the default
  // Weights are unpacked once a chunk.
  int64_t prefillChunk = 512;
  int64_t attentionRows = 0; // tokens of an attention call; 0: the default
  int64_t kvSplit = 0;       // kSplitHeads, kSplitSpans; 0: the default
  std::string screenedHead = "auto"; // "on", "off"
  bool taps = false;                 // every result is kept and can be written
  std::vector<std::string> disabledPasses; // "fuse-rope" or "qwen-fuse-rope"
  std::string dumpFolder; // NN-pass.mlir after every pass; empty: none
  Stop stop = Stop::Planned;
  /// Sees the module after "import" and after each pass, by the pass's name.
  std::function<void(llvm::StringRef pass, mlir::ModuleOp module)> afterPass;

  /// The options as text, for reproducers.
  std::string str() const;
};

/// The first of `options.disabledPasses` that names no pass which may be left
/// out, as a user-facing message.
std::optional<std::string> checkDisabledPasses(const PipelineOptions &options);

enum class PipelineStatus {
  Ok,
  UserError, // reported on the context's diagnostics
  Broken     // a pass broke an invariant: a bug of the compiler
};

struct PipelineResult {
  PipelineStatus status = PipelineStatus::Ok;
  std::string failedPass; // "partition"
};

/// Runs the passes up to `options.stop` over `module`, which holds @step;
/// verifies after every pass.
PipelineResult runPipeline(mlir::ModuleOp module,
                           const PipelineOptions &options, Timings &timings);

} // namespace qwen
