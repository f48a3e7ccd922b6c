// StepChoices.cpp - executables that differ in one choice take turns.
#include "tools/qwenc/StepChoices.h"

#include "tools/qwenc/TunedChoices.h"
#include "tools/qwenc/verify/Executable.h"

#include "qwen/cache_layout.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <vector>

namespace qwen {
namespace {

constexpr int64_t kTurns = 3;
constexpr double kGain = 1.02;          // a smaller one is noise
constexpr unsigned kLimitSeconds = 120; // of one run

/// What a choice bears on, and so what is run to compare its values.
struct Weighing {
  int64_t prompt, generate; // tokens of a run
  bool prefill, decode;     // whose speed counts
};
constexpr Weighing kPrompts{1024, 4, true, false}, kTokens{16, 32, false, true},
    kLongContext{2048, 32, false, true}, kBoth{256, 24, true, true};

/// The choices in the order of what trying them costs: with other chunks every
/// linear is compiled anew.
struct Row {
  const char *key;
  Weighing weighing;
  std::vector<int64_t> values; // beside the present one
};
std::vector<Row> rows(const CompileOptions &options) {
  const int64_t chunk = options.pipeline.prefillChunk;
  return {{"prefill_chunk", kPrompts, {chunk / 4, chunk / 2, chunk * 2}},
          {"attention_rows", kPrompts, {8, 32}},
          {"kv_split",
           kLongContext,
           {kKvSplit == kSplitSpans ? kSplitHeads : kSplitSpans}},
          {"barrier_spin_us", kTokens, {5, 500}},
          {"chunk_bytes",
           kBoth,
           {kChunkBytes / 2, kChunkBytes * 2, kChunkBytes * 4}}};
}

volatile std::sig_atomic_t stopped = 0;

void onStop(int) { stopped = 1; }

/// Interrupts set a flag as long as this lives.
class StopSignals {
public:
  StopSignals() {
    stopped = 0;
    struct sigaction action = {};
    action.sa_handler = onStop;
    sigaction(SIGINT, &action, &interrupt);
    sigaction(SIGTERM, &action, &terminate);
  }
  StopSignals(const StopSignals &) = delete;
  StopSignals &operator=(const StopSignals &) = delete;
  ~StopSignals() {
    sigaction(SIGINT, &interrupt, nullptr);
    sigaction(SIGTERM, &terminate, nullptr);
  }

private:
  struct sigaction interrupt, terminate;
};

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

using Speed = verify::Executable::Speed; // or ratios of two

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle]
                           : (values[middle - 1] + values[middle]) / 2;
}

double scoreOf(const Speed &ratio, const Weighing &weighing) {
  return weighing.prefill && weighing.decode
             ? std::sqrt(ratio.prefill * ratio.decode)
         : weighing.prefill ? ratio.prefill
                            : ratio.decode;
}

class Steps {
public:
  Steps(const StepRequest &request, TunedModel &found)
      : request(request), found(found), began(now()) {}

  bool run(const std::function<bool(const TunedModel &)> &keep) {
    apply(found.choices, best);
    for (const Row &row : rows(request.options)) {
      const StepChoice &choice =
          *std::find_if(std::begin(kStepChoices), std::end(kStepChoices),
                        [&](const StepChoice &known) {
                          return row.key == std::string(known.key);
                        });
      std::optional<int64_t> &value = found.choices.*(choice.value);
      if (value || isGiven(row))
        continue;
      if (!choose(row, choice))
        return !stopped;
      if (!keep(found))
        return false;
    }
    return !stopped;
  }

private:
  const StepRequest &request;
  TunedModel &found;
  CompileOptions best = request.options;
  const double began;
  double longest = 0; // of one comparison
  verify::WorkFolder folder;
  std::string current, weights; // of the best so far; of all of them
  int64_t made = 0;

  double left() const { return request.seconds - (now() - began); }

  /// Whether the command line decides it, or the team or the context is too
  /// small for it.
  bool isGiven(const Row &row) const {
    const std::string key = row.key;
    return (key == "prefill_chunk" && request.options.prefillChunkGiven) ||
           (key == "barrier_spin_us" && team() == "1") ||
           (key == "kv_split" && spanCount(*request.options.context) == 1);
  }

  std::string team() const {
    return request.threads.substr(request.threads.rfind(',') + 1);
  }

  /// The values against the best so far; false when time or an interrupt ended
  /// it before the last.
  bool choose(const Row &row, const StepChoice &choice) {
    std::vector<StepTrial> trials;
    std::optional<int64_t> winner;
    double decode = 1, prefill = 1;
    for (const int64_t value : row.values) {
      if (value < 1 || value > choice.most ||
          (choice.value == &ScheduleFile::Model::prefillChunk &&
           value > *request.options.context))
        continue;
      const double start = now();
      if (!folder.ok() || left() <= longest)
        return outOfTime(row.key);
      if (current.empty())
        current = build(best);
      if (current.empty())
        return false;
      CompileOptions other = best;
      ScheduleFile::Model one;
      one.*(choice.value) = value;
      apply(one, other);
      const std::string challenger = build(other);
      const std::optional<Speed> ratio =
          challenger.empty() ? std::nullopt
                             : compare(challenger, current, row.weighing);
      if (stopped)
        return false;
      longest = std::max(longest, now() - start);
      const bool wins = ratio && scoreOf(*ratio, row.weighing) >= kGain;
      if (ratio) {
        trials.push_back({row.key, value, ratio->decode, ratio->prefill, wins});
        tell(trials.back(), row.weighing);
      }
      remove(wins ? current : challenger);
      if (wins) {
        current = challenger;
        best = other;
        winner = value;
        decode *= ratio->decode;
        prefill *= ratio->prefill;
      }
    }
    // A zero says that the default was compared and stays.
    found.choices.*(choice.value) = winner.value_or(0);
    found.trials.insert(found.trials.end(), trials.begin(), trials.end());
    if (row.weighing.decode)
      found.decodeRatio *= decode;
    if (row.weighing.prefill)
      found.prefillRatio *= prefill;
    return true;
  }

  void tell(const StepTrial &trial, const Weighing &weighing) const {
    llvm::errs() << "steps: " << trial.choice << " " << trial.value << ":";
    if (weighing.decode)
      llvm::errs() << llvm::format(" decode %.2fx", trial.decodeRatio);
    if (weighing.prefill)
      llvm::errs() << llvm::format(" prefill %.2fx", trial.prefillRatio);
    const auto rest = int64_t(std::max(0.0, left()));
    llvm::errs() << (trial.kept ? ", kept" : "")
                 << llvm::format(", %d:%02d left\n", int(rest / 60),
                                 int(rest % 60));
  }

  static bool outOfTime(const char *key) {
    llvm::errs() << "note: the budget leaves no time for all values of `" << key
                 << "`, which stays as it is; the same command goes on\n";
    return false;
  }

  /// The executable's path; empty after a message. Weights of one layout serve
  /// them all.
  std::string build(CompileOptions options) {
    if (stopped)
      return "";
    options.output = folder.at("step" + std::to_string(made++));
    options.stop = "exe";
    options.zeroWeights = weights.empty();
    options.pack = false;
    if (compileModel(options) != 0)
      return "";
    if (weights.empty()) {
      weights = folder.at("weights");
      if (std::error_code error =
              llvm::sys::fs::rename(options.output + ".weights", weights)) {
        llvm::errs() << weights << ": error: " << error.message() << "\n";
        return "";
      }
    }
    return options.output;
  }

  static void remove(const std::string &path) {
    // What stays goes with the folder.
    if (!path.empty())
      llvm::consumeError(llvm::errorCodeToError(llvm::sys::fs::remove(path)));
  }

  /// Medians of the ratios of runs side by side; one turn is enough for a value
  /// that gains nothing.
  std::optional<Speed> compare(const std::string &challenger,
                               const std::string &known,
                               const Weighing &weighing) const {
    std::vector<double> prefill, decode;
    for (int64_t turn = 0; turn < kTurns && !stopped; ++turn) {
      const bool first = turn % 2 == 0;
      const auto one = measure(first ? known : challenger, weighing);
      const auto two = measure(first ? challenger : known, weighing);
      if (!one || !two)
        return std::nullopt;
      const Speed &own = first ? *two : *one, &other = first ? *one : *two;
      prefill.push_back(own.prefill / other.prefill);
      decode.push_back(own.decode / other.decode);
      if (scoreOf({prefill.front(), decode.front()}, weighing) < 1)
        break;
    }
    if (prefill.empty())
      return std::nullopt;
    return Speed{median(prefill), median(decode)};
  }

  std::optional<Speed> measure(const std::string &path,
                               const Weighing &weighing) const {
    if (stopped)
      return std::nullopt;
    // Half the context for each, where it is short.
    const int64_t room = std::max<int64_t>(1, *request.options.context / 2);
    llvm::Expected<Speed> speed =
        verify::Executable(path, weights, folder)
            .bench(std::min(weighing.prompt, room),
                   std::min(weighing.generate, room), team(), kLimitSeconds);
    if (speed)
      return *speed;
    const std::string message = llvm::toString(speed.takeError());
    if (!stopped)
      llvm::errs() << "note: a value is left out: " << message << "\n";
    return std::nullopt;
  }
};

} // namespace

bool tuneSteps(const StepRequest &request, TunedModel &found,
               const std::function<bool(const TunedModel &)> &keep) {
  const StopSignals signals;
  return Steps(request, found).run(keep);
}

} // namespace qwen
