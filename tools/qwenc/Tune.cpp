// Tune.cpp - `qwenc tune`: the schedules of a model's kernels, searched by
// measuring, for `qwenc compile` to take up.
#include "codegen/catalog/Tuned.h"
#include "codegen/emit/KernelObjects.h"
#include "codegen/emit/OutputFile.h"
#include "codegen/tuning/Budget.h"
#include "tools/qwenc/Command.h"
#include "tools/qwenc/Reporting.h"
#include "tools/qwenc/ScheduledKernels.h"
#include "tools/qwenc/Siblings.h"
#include "tools/qwenc/StepChoices.h"
#include "tools/qwenc/TuneReport.h"
#include "tools/qwenc/TunedChoices.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <memory>

namespace qwen {
namespace {

struct TuneOptions {
  CompileOptions compile;
  std::string budget = "10m", threads = "1", output, report, seeds;
  std::vector<std::string> merged;
  int64_t seed = 1;
  bool again = false, kernelsOnly = false;
};

class Tuning {
public:
  explicit Tuning(TuneOptions options) : options(std::move(options)) {}

  int run() {
    if (!options.merged.empty())
      return merge();
    if (options.compile.pipeline.target == "host")
      options.compile.pipeline.target.clear();
    if (options.compile.model.empty())
      return reportOnly();
    std::string error;
    const std::optional<double> budget = parseBudget(options.budget, error);
    if (!budget) {
      reportError(error);
      return kExitUser;
    }
    // Searches start from the shipped points, not from their own results.
    options.compile.ignoreTuned = true;
    if (int code = scheduledKernels(options.compile, scheduled))
      return code;
    if (options.output.empty())
      options.output = tunedPath(scheduled.options.pipeline.target);
    const auto start = std::chrono::steady_clock::now();
    const bool steps = wantsSteps();
    int code =
        search(steps ? std::max(kLeastBudgetSeconds, *budget * (1 - kStepShare))
                     : *budget);
    if (code == 0 && steps) {
      const std::chrono::duration<double> taken =
          std::chrono::steady_clock::now() - start;
      code = chooseSteps(*budget - taken.count());
    }
    if (options.report.empty() || (code != 0 && code != kInterrupted))
      return code;
    const int written = writeReport();
    return written ? written : code;
  }

private:
  static constexpr int kInterrupted = 130; // 128 + SIGINT, as shells say it
  TuneOptions options;
  ScheduledKernels scheduled;

  /// The share of the budget that is kept for whole steps.
  static constexpr double kStepShare = 0.3;

  /// This model's entry of a file; a fresh one when there is none.
  TunedModel entryOf(const TunedFile &file) const {
    for (const TunedModel &known : file.models)
      if (known.choices.model == scheduled.model && known.machine == cpuName())
        return known;
    TunedModel model;
    model.choices.model = scheduled.model;
    model.machine = cpuName();
    return model;
  }

  /// Whether a choice of steps is open. What is wrong with the file is the
  /// search's to tell.
  bool wantsSteps() const {
    if (scheduled.model.empty() || options.kernelsOnly)
      return false;
    auto text = llvm::MemoryBuffer::getFile(options.output);
    if (!text || options.again)
      return true;
    std::string error;
    const auto file = TunedFile::parse(
        (*text)->getBuffer().str(), KernelCatalog::builtin(), error, cpuName());
    if (!file)
      return true;
    const ScheduleFile::Model choices = entryOf(*file).choices;
    return llvm::any_of(kStepChoices, [&](const StepChoice &choice) {
      return !(choices.*(choice.value)).has_value();
    });
  }

  /// With the kernels at their results: what is found for the steps joins them.
  int chooseSteps(double seconds) {
    std::optional<TunedFile> file = readResults(options.output, cpuName());
    if (!file)
      return kExitUser;
    TunedModel model = entryOf(*file);
    if (options.again)
      model = entryOf(TunedFile());
    StepRequest request{scheduled.options, options.threads, seconds};
    request.options.pipeline.tuned = options.output;
    const auto keep = [&](const TunedModel &done) {
      file->put(done);
      return writeResults(*file);
    };
    if (tuneSteps(request, model, keep))
      return 0;
    llvm::errs() << "interrupted; the choices of steps that were made are in "
                 << options.output << "\n";
    return kInterrupted;
  }

  /// False after a message.
  bool writeResults(const TunedFile &file) const {
    if (llvm::Error error = writeOutput(options.output, file.str())) {
      reportError(std::move(error));
      return false;
    }
    return true;
  }

  int search(double seconds) {
    const std::string program = siblingOf("qwenc-kernel");
    llvm::Expected<std::string> identity = compilerIdentity(program);
    if (!identity)
      return reportError(identity.takeError());
    llvm::SmallString<128> objects(defaultCacheFolder());
    llvm::sys::path::append(objects, "kernels", *identity);
    if (std::error_code error = llvm::sys::fs::create_directories(objects)) {
      reportError("cannot create `" + objects.str().str() +
                  "`: " + error.message());
      return kExitUser;
    }
    std::vector<std::string> words = {
        program,     "tune",
        "-o",        options.output,
        "--budget",  std::to_string(std::llround(seconds)) + "s",
        "--threads", options.threads,
        "--seed",    std::to_string(options.seed),
        "--tokens",  std::to_string(scheduled.options.pipeline.prefillChunk),
        "--objects", objects.str().str(),
        "--jobs",    std::to_string(options.compile.jobs)};
    if (options.again)
      words.push_back("--again");
    if (!options.seeds.empty())
      words.insert(words.end(), {"--seeds", options.seeds});
    for (const auto &[symbol, count] : scheduled.calls)
      words.push_back(symbol + "*" + std::to_string(count));
    // An interrupt is the search's to answer: it keeps what is done.
    std::signal(SIGINT, SIG_IGN);
    std::string message;
    const std::vector<llvm::StringRef> arguments(words.begin(), words.end());
    const int code = llvm::sys::ExecuteAndWait(program, arguments, std::nullopt,
                                               {}, 0, 0, &message);
    if (code < 0) {
      reportError("`" + program + "` did not run to its end: " + message);
      return kExitUser;
    }
    return code;
  }

  /// A page about results that are there already.
  int reportOnly() {
    if (options.report.empty()) {
      reportError("a model is missing");
      return kExitUser;
    }
    CompileOptions any;
    any.pipeline.target = options.compile.pipeline.target;
    any.stop = "spec";
    if (std::optional<std::string> problem = resolve(any)) {
      reportError(*problem);
      return kExitUser;
    }
    if (options.output.empty())
      options.output = tunedPath(any.pipeline.target);
    return writeReport();
  }

  int writeReport() {
    std::optional<TunedFile> file = readResults(options.output);
    if (!file)
      return kExitUser;
    if (llvm::Error error = writeOutput(options.report, tuneReport(*file)))
      return reportError(std::move(error));
    return 0;
  }

  /// Prints a message when the file cannot be read.
  static std::optional<TunedFile> readResults(const std::string &path,
                                              std::string_view machine = {}) {
    auto text = llvm::MemoryBuffer::getFile(path);
    if (!text) {
      llvm::errs() << path
                   << ": error: cannot be read: " << text.getError().message()
                   << "\n";
      return std::nullopt;
    }
    std::string error;
    auto file = TunedFile::parse((*text)->getBuffer().str(),
                                 KernelCatalog::builtin(), error, machine);
    if (!file) {
      llvm::errs() << path << ": error: " << error << "\n";
      return std::nullopt;
    }
    if (const std::string note = file->ignoredNote(); !note.empty())
      llvm::errs() << path << ": note: " << note << "\n";
    return file;
  }

  int merge() {
    if (options.output.empty()) {
      reportError("`-o` is missing");
      return kExitUser;
    }
    TunedFile all;
    for (const std::string &path : options.merged) {
      const std::optional<TunedFile> file = readResults(path);
      if (!file)
        return kExitUser;
      if (!all.target.empty() && file->target != all.target) {
        llvm::errs() << path << ": error: is for target `" << file->target
                     << "`, and `" << options.merged.front() << "` for `"
                     << all.target << "`\n";
        return kExitUser;
      }
      if (file->unmeasured)
        llvm::errs() << path << ": note: " << file->unmeasured
                     << " entries without figures are left out\n";
      all.target = file->target;
      all.merge(*file);
    }
    if (llvm::Error error = writeOutput(options.output, all.str()))
      return reportError(std::move(error));
    return 0;
  }
};

} // namespace

std::function<int()> addTuneCommand(CLI::App &app) {
  auto options = std::make_shared<TuneOptions>();
  CLI::App *command = app.add_subcommand(
      "tune", "search the schedules of a model's kernels by measuring them");
  CompileOptions &compile = options->compile;
  PipelineOptions &pipeline = compile.pipeline;
  command->add_option("model", compile.model,
                      "what `qwenc compile` takes; weights are not needed");
  command->add_option("-o,--output", options->output,
                      "file of results; default where `qwenc compile` looks");
  command->add_option("--report", options->report,
                      "write a page about the results; without a model, about "
                      "those there are");
  command->add_option("--budget", options->budget, "time for all of it")
      ->capture_default_str();
  command
      ->add_option("--threads", options->threads,
                   "team sizes that a point is timed with, `1,2`")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of everything drawn")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--seeds", options->seeds,
                      "schedule file whose points are tried first");
  command->add_flag("--again", options->again,
                    "measure what the file has already");
  command->add_flag("--kernels-only", options->kernelsOnly,
                    "leave the choices of whole steps as they are");
  compile.linker = QWENC_LINKER;
  command
      ->add_option("--linker", compile.linker,
                   "as of `qwenc compile`, for the choices of whole steps")
      ->capture_default_str();
  command
      ->add_option("--merge", options->merged,
                   "merge files of results into `-o`, the larger gains")
      ->expected(1, 1000);
  command
      ->add_option("--target", pipeline.target,
                   "target of this machine; default its best, `host`")
      ->each([&compile](const std::string &) { compile.targetGiven = true; });
  command->add_option("--format", pipeline.format, "as of `qwenc compile`")
      ->each([&compile](const std::string &) { compile.formatGiven = true; })
      ->capture_default_str();
  command
      ->add_option("--activations", pipeline.activations,
                   "as of `qwenc compile`")
      ->each(
          [&compile](const std::string &) { compile.activationsGiven = true; })
      ->capture_default_str();
  command->add_option("--cache-type", compile.cacheType,
                      "as of `qwenc compile`");
  command->add_option("--context", compile.context, "as of `qwenc compile`");
  command
      ->add_option("--prefill-chunk", pipeline.prefillChunk,
                   "prompt tokens that kernels are timed with")
      ->each(
          [&compile](const std::string &) { compile.prefillChunkGiven = true; })
      ->capture_default_str();
  command
      ->add_option("--ignore-key", compile.ignoredKeys,
                   "read the config as if it had no such key")
      ->allow_extra_args(false);
  command->add_option("--jobs,-j", compile.jobs, "kernels compiled at a time")
      ->check(CLI::NonNegativeNumber);
  return [options] { return Tuning(*options).run(); };
}

} // namespace qwen
