// Pipeline.cpp - the whole order on one screen.
#include "passes/pipeline/Pipeline.h"

#include "passes/pipeline/PassTrace.h"
#include "passes/transforms/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace qwen {
namespace {

enum class Kind {
  Optional, // what follows works without it
  Required,
  Checks // required, and refuses what a user asked for
};

struct Row {
  Stop stop; // the stop that it leads to
  Kind kind;
  const char *name;
  std::unique_ptr<mlir::Pass> (*make)(const PipelineOptions &options);
};

template <auto create>
std::unique_ptr<mlir::Pass> plain(const PipelineOptions &) {
  return create();
}

std::unique_ptr<mlir::Pass> selectFormats(const PipelineOptions &options) {
  return createSelectFormats(
      {options.format, options.activations, options.anyStored});
}

std::unique_ptr<mlir::Pass> screenHead(const PipelineOptions &options) {
  return createScreenHead({options.screenedHead});
}

std::unique_ptr<mlir::Pass> splitAttention(const PipelineOptions &options) {
  return createSplitAttention({options.kvSplit});
}

std::unique_ptr<mlir::Pass> selectKernels(const PipelineOptions &options) {
  return createSelectKernels(
      {options.target, options.tuned, options.schedule, options.chunkBytes});
}

std::unique_ptr<mlir::Pass> partition(const PipelineOptions &options) {
  return createPartition({options.attentionRows});
}

std::unique_ptr<mlir::Pass> planBuffers(const PipelineOptions &options) {
  return createPlanBuffers({options.prefillChunk, options.taps});
}

std::unique_ptr<mlir::Pass> removeUnused(const PipelineOptions &) {
  return mlir::createCSEPass();
}

// clang-format off
constexpr Row kRows[] = {
    {Stop::Fused,     Kind::Optional, "fuse-rope",      plain<createFuseRope>},     // q, k, v: RoPE and appends are epilogues
    {Stop::Fused,     Kind::Optional, "fuse-swiglu",    plain<createFuseSwiglu>},   // gate and up: one linear
    {Stop::Fused,     Kind::Optional, "fuse-residual",  plain<createFuseResidual>}, // o and down: the sum is an epilogue
    {Stop::Scheduled, Kind::Checks,   "select-formats", selectFormats},             // every weight type is concrete
    {Stop::Scheduled, Kind::Required, "cse",            removeUnused},              // no op without a reader
    {Stop::Scheduled, Kind::Required, "split-steps",    plain<createSplitSteps>},   // @decode and @prefill
    {Stop::Scheduled, Kind::Optional, "raise-tail",     plain<createRaiseTail>},    // no rows that nobody reads
    {Stop::Scheduled, Kind::Optional, "split-attention", splitAttention},           // of one token: by spans of the context
    {Stop::Scheduled, Kind::Checks,   "screen-head",    screenHead},                // @decode_screened
    {Stop::Scheduled, Kind::Checks,   "select-kernels", selectKernels},             // every compute op has a kernel
    {Stop::Scheduled, Kind::Required, "partition",      partition},                 // who does what; barriers
    {Stop::Planned,   Kind::Required, "plan-weights",   plain<createPlanWeights>},  // offsets in the weights file
    {Stop::Planned,   Kind::Required, "plan-buffers",   planBuffers},               // dispatches over memory
};

constexpr std::pair<const char *, Stop> kStops[] = {
    {"spec", Stop::Spec},           {"graph", Stop::Graph},     {"fused", Stop::Fused},
    {"scheduled", Stop::Scheduled}, {"planned", Stop::Planned}, {"llvm", Stop::Llvm},
    {"obj", Stop::Object},          {"exe", Stop::Executable},
};
// clang-format on

bool isDisabled(const PipelineOptions &options, llvm::StringRef name) {
  return llvm::any_of(options.disabledPasses, [&](llvm::StringRef disabled) {
    disabled.consume_front("qwen-");
    return disabled == name;
  });
}

} // namespace

std::optional<Stop> parseStop(std::string_view text) {
  for (auto [name, stop] : kStops)
    if (text == name)
      return stop;
  return std::nullopt;
}

std::string stopNames() {
  std::string names;
  for (auto [name, stop] : kStops)
    names.append(names.empty() ? "" : ", ").append(name);
  return names;
}

std::string PipelineOptions::str() const {
  std::string text = "format=" + format + " activations=" + activations +
                     " target=" + target + " tuned=" + tuned +
                     " schedule=" + schedule +
                     " chunk-bytes=" + std::to_string(chunkBytes) +
                     " prefill-chunk=" + std::to_string(prefillChunk) +
                     " attention-rows=" + std::to_string(attentionRows) +
                     " kv-split=" + std::to_string(kvSplit);
  text += " screened-head=" + screenedHead;
  if (anyStored)
    text += " any-stored";
  if (taps)
    text += " taps";
  for (const std::string &pass : disabledPasses)
    text += " disable-pass=" + pass;
  return text;
}

std::optional<std::string> checkDisabledPasses(const PipelineOptions &options) {
  for (const std::string &disabled : options.disabledPasses) {
    PipelineOptions one;
    one.disabledPasses = {disabled};
    std::string names;
    bool known = false;
    for (const Row &row : kRows)
      if (row.kind == Kind::Optional) {
        known |= isDisabled(one, row.name);
        names += names.empty() ? "" : ", ";
        names += row.name;
      }
    if (!known)
      return "`" + disabled + "` is no pass that can be disabled; those are " +
             names;
  }
  return std::nullopt;
}

PipelineResult runPipeline(mlir::ModuleOp module,
                           const PipelineOptions &options, Timings &timings) {
  PassTrace trace(options.dumpFolder, timings);
  if (options.afterPass)
    options.afterPass("import", module);
  trace.dump("import", module);
  for (const Row &row : kRows) {
    if (row.stop > options.stop ||
        (row.kind == Kind::Optional && isDisabled(options, row.name)))
      continue;
    mlir::PassManager manager(module.getContext());
    manager.addPass(row.make(options));
    bool failed = trace.timed(
        row.name, [&] { return mlir::failed(manager.run(module)); });
    if (failed)
      return {row.kind == Kind::Checks ? PipelineStatus::UserError
                                       : PipelineStatus::Broken,
              row.name};
    if (options.afterPass)
      options.afterPass(row.name, module);
    trace.dump(row.name, module);
  }
  return {};
}

} // namespace qwen
