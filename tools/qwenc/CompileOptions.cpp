// CompileOptions.cpp - the option table of `qwenc compile`, and the checks that
// need no model.
#include "tools/qwenc/CompileOptions.h"

#include "codegen/catalog/FormatChoice.h"
#include "qwen/cache_layout.h"
#include "tools/qwenc/bits/Bits.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

#include <algorithm>

namespace qwen {
namespace {

template <typename Rows> std::string namesOf(const Rows &rows) {
  std::string names;
  for (const auto &row : rows)
    names += (names.empty() ? "" : ", ") + row.name;
  return names;
}

} // namespace

void declareBuild(CompileOptions &options, CLI::App &command) {
  PipelineOptions &pipeline = options.pipeline;
  options.linker = QWENC_LINKER;
  command
      .add_option("--format", pipeline.format,
                  "weight format of every matrix; stored keeps each tensor's "
                  "own values; +PIECE=FORMAT for tensors with that piece in "
                  "their name, as in q4g32+lm_head=q8g32")
      ->each([&](const std::string &) { options.formatGiven = true; })
      ->capture_default_str();
  command
      .add_option("--activations", pipeline.activations,
                  "f32, or q8g32 where the weights' format takes it")
      ->each([&](const std::string &) { options.activationsGiven = true; })
      ->capture_default_str();
  command.add_option("--cache-type", options.cacheType,
                     "f32, f16, int16 or int8 (of keys 8 bits, and f16 where "
                     "RoPE is slow); default f32 with f32 activations, else "
                     "int16");
  command.add_option(
      "--context", options.context,
      "tokens that the cache can hold; default 4096, or the model's most");
  command
      .add_option("--prefill-chunk", pipeline.prefillChunk,
                  "prompt tokens computed at once")
      ->each([&](const std::string &) { options.prefillChunkGiven = true; })
      ->capture_default_str();
  command
      .add_option("--target", pipeline.target,
                  "CPU to compile for; default this machine's best; several "
                  "after commas make one executable that picks at its start")
      ->each([&](const std::string &) { options.targetGiven = true; });
  command.add_option("--schedule", pipeline.schedule,
                     "schedule points that win over tuned and shipped ones");
  command.add_flag("--no-tuned", options.ignoreTuned,
                   "leave out what `qwenc tune` found on this machine");
  command
      .add_option("--screened-head", pipeline.screenedHead,
                  "greedy decoding reads the head's high bits, and exact rows "
                  "where they may matter: on, off, or auto for large heads")
      ->capture_default_str();
  command
      .add_option("--disable-pass", pipeline.disabledPasses,
                  "leave out a fusion pass")
      ->allow_extra_args(false);
  command
      .add_option("--ignore-key", options.ignoredKeys,
                  "read the config as if it had no such key")
      ->allow_extra_args(false);
  command
      .add_option("--linker", options.linker, "C++ compiler driver that links")
      ->capture_default_str();
  command
      .add_option("--jobs,-j", options.jobs,
                  "kernels built at once; default one a core")
      ->check(CLI::NonNegativeNumber);
}

void declareCalibration(CompileOptions &options, CLI::App &command) {
  command.add_option("--calibrate", options.calibratePath,
                     "file of text that `--bits` measures and rounds with; "
                     "default a built-in one");
  command.add_option("--calibrate-ids", options.calibrateIds,
                     "file of token ids instead of a text");
}

void declare(CompileOptions &options, CLI::App &command) {
  PipelineOptions &pipeline = options.pipeline;
  command
      .add_option("model", options.model,
                  "a Hugging Face folder, a hub name in the local cache, a "
                  ".gguf, a config.json, a named build, or "
                  "an .mlir file of an earlier stop")
      ->required();
  command.add_option(
      "-o,--output", options.output,
      "the executable, or the file of another stop; - is standard output");
  declareBuild(options, command);
  command.add_option(
      "--bits", options.bits,
      "mean bits of a weight that a token reads: the format of each part of "
      "the model is chosen by what it costs on a text, and its values are "
      "rounded so that its results change least");
  declareCalibration(options, command);
  command.add_flag("--embed-weights", options.embedWeights,
                   "put the weights into the executable");
  command.add_flag("--zero-weights", options.zeroWeights,
                   "weights of zeros in place of the model's, to measure "
                   "speed; a config.json is enough");
  command.add_flag("--check", options.check,
                   "compare the executable with the model on a few tokens; its "
                   "`info` tells the result");
  command.add_flag("--taps", pipeline.taps,
                   "keep what every operator gives, for the executable's "
                   "`taps`; takes more memory");
  command.add_option("--emit", options.stop, "where to stop: " + stopNames())
      ->capture_default_str();
  command.add_option("--dump-dir", pipeline.dumpFolder,
                     "write the IR after every pass into this folder");
  command.add_flag("--time", options.time, "print the time of every stage");
}

static bool runsHere(const CatalogTarget *target) {
  return llvm::all_of(target->features, cpuHasFeature);
}

/// Splits `--target` into the catalog's order, which is best first.
static std::optional<std::string> resolveTargets(CompileOptions &options) {
  const KernelCatalog &catalog = KernelCatalog::builtin();
  PipelineOptions &pipeline = options.pipeline;
  std::vector<const CatalogTarget *> targets;
  llvm::SmallVector<llvm::StringRef> names;
  llvm::StringRef(pipeline.target).split(names, ',');
  if (pipeline.target.empty()) {
    targets.push_back(catalog.host());
    if (!targets[0])
      return "this machine's CPU fits no target; name one with `--target`: " +
             namesOf(catalog.targets);
    names.clear();
  }
  for (llvm::StringRef name : names) {
    const CatalogTarget *target = catalog.target(name.trim().str());
    if (!target)
      return "`--target` is `" + pipeline.target + "`; targets are " +
             namesOf(catalog.targets);
    if (llvm::is_contained(targets, target))
      return "`--target` is `" + pipeline.target + "`, which has `" +
             target->name + "` twice";
    targets.push_back(target);
  }
  llvm::sort(targets); // all lie in the catalog's list
  options.targets.clear();
  for (const CatalogTarget *target : targets)
    options.targets.push_back(target->name);
  pipeline.target = options.targets[0];
  if (targets.size() > 1 && pipeline.stop != Stop::Executable)
    return "`--target` names " + std::to_string(targets.size()) +
           " targets; only an executable takes more than one";
  if (options.check && llvm::none_of(targets, runsHere))
    return "`--check` runs the executable, and this machine's CPU is no `" +
           llvm::join(options.targets, "` or `") + "`";
  return std::nullopt;
}

std::optional<std::string> resolve(CompileOptions &options) {
  PipelineOptions &pipeline = options.pipeline;
  std::optional<Stop> stop = parseStop(options.stop);
  if (!stop)
    return "`--emit` is `" + options.stop + "`; stops are " + stopNames();
  pipeline.stop = *stop;
  if (options.output.empty()) {
    if (*stop >= Stop::Object)
      return "`-o` is missing";
    options.output = "-";
  }
  if (options.output == "-" && *stop == Stop::Executable)
    return "an executable cannot go to standard output";
  std::string error;
  if (!FormatChoice::parse(pipeline.format, KernelCatalog::builtin(), error))
    return "`--format` " + error;
  if (pipeline.activations != "f32" && pipeline.activations != "q8g32")
    return "`--activations` is `" + pipeline.activations +
           "`; they are f32 or q8g32";
  if (pipeline.screenedHead != "on" && pipeline.screenedHead != "off" &&
      pipeline.screenedHead != "auto")
    return "`--screened-head` is `" + pipeline.screenedHead +
           "`; it is on, off or auto";
  if (options.cacheType.empty())
    options.cacheType = pipeline.activations == "f32" ? "f32" : "int16";
  if (options.cacheType != "f32" && options.cacheType != "f16" &&
      !cacheCode(options.cacheType))
    return "`--cache-type` is `" + options.cacheType +
           "`; it is f32, f16, int16 or int8";
  if (std::optional<std::string> problem = bits::checkBits(options))
    return problem;
  if (options.bits && *stop != Stop::Executable)
    return "`--bits` makes an executable, and `--emit=" + options.stop +
           "` makes none";
  if (options.zeroWeights && (options.check || options.embedWeights))
    return "`--zero-weights` does not go with `--check` or `--embed-weights`";
  if (options.check && *stop != Stop::Executable)
    return "`--check` runs the executable, and `--emit=" + options.stop +
           "` makes none";
  if (std::optional<std::string> problem = resolveTargets(options))
    return problem;
  constexpr int64_t kMostRows = 1 << 16;
  if (pipeline.prefillChunk < 1 || pipeline.prefillChunk > kMostRows)
    return "`--prefill-chunk` is " + std::to_string(pipeline.prefillChunk) +
           "; it is 1 to " + std::to_string(kMostRows);
  return checkDisabledPasses(pipeline);
}

} // namespace qwen
