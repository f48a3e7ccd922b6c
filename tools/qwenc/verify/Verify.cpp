// Verify.cpp - builds, runs and compares, and says who is to blame.
#include "tools/qwenc/verify/Verify.h"

#include "codegen/catalog/KernelSymbol.h"
#include "codegen/emit/OutputFile.h"
#include "passes/ir/QwenOps.h"
#include "passes/transforms/CheckPlan.h"
#include "tools/qwenc/Command.h"
#include "tools/qwenc/Reporting.h"
#include "tools/qwenc/verify/Bisect.h"
#include "tools/qwenc/verify/Executable.h"
#include "tools/qwenc/verify/Judge.h"
#include "tools/qwenc/verify/PackedWeights.h"
#include "tools/qwenc/verify/References.h"
#include "tools/qwenc/verify/Report.h"
#include "tools/qwenc/verify/Runs.h"
#include "tools/qwenc/verify/Stages.h"

#include "llvm/Support/FileSystem.h"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

namespace qwen {
namespace verify {
namespace {

constexpr int64_t kDefaultTokens = 12;
constexpr int64_t kQuickTokens = 4;
constexpr int64_t kMostTokens = 128; // the taps of one step are kept

std::string numbers(const char *format, auto... values) {
  char text[160];
  std::snprintf(text, sizeof(text), format, values...);
  return text;
}

class Verification {
public:
  explicit Verification(const VerifyOptions &options)
      : options(options), build(options.build) {}

  /// The exit code of `verify`.
  int run() {
    if (int code = judge())
      return code;
    std::cout << report.text();
    if (!options.report.empty())
      if (llvm::Error error = writeOutput(options.report, report.html()))
        return reportError(std::move(error));
    return report.verdict() ? kExitUser : 0;
  }

  /// JSON, empty when the executable is not its model.
  std::string check() {
    if (judge() != 0)
      return "";
    if (report.verdict()) {
      std::cerr << report.text();
      return "";
    }
    nlohmann::ordered_json json = {
        {"verdict", "the executable computes the model"},
        {"reference", "the checkpoint's graph, every operator in f64"},
        {"ids", ids}};
    for (const Check &each : report.checks)
      json[each.name] = each.text;
    return json.dump();
  }

private:
  int judge() {
    if (!folder.ok()) {
      reportError("no temporary folder can be made");
      return kExitUser;
    }
    if (llvm::Error error = prepare())
      return reportError(std::move(error));
    report.title = "verify " + options.subject + ": " +
                   std::to_string(ids.size()) + " tokens, format " +
                   build.pipeline.format + ", activations " +
                   build.pipeline.activations + ", " + build.pipeline.target;
    judgeReference();
    if (!options.quick)
      judgePasses();
    judgePlan();
    judgeWeights();
    if (llvm::Error error = judgeRuns())
      addFault(Blame::Runtime, "runtime",
               llvm::toString(std::move(error)) + "\n");
    return 0;
  }

  const VerifyOptions &options;
  CompileOptions build;
  WorkFolder folder;
  std::unique_ptr<Stages> stages, other;
  std::optional<Executable> plain, tapped; // `plain` is the one judged
  std::optional<TapRows> captured;
  reference::Ids ids;
  TapRows reference; // of the imported graph, in f64
  std::map<std::string, double> weightNoise;
  Report report;

  void addFault(Blame blame, std::string verdict, std::string detail,
                bool ofTap = false) {
    report.faults.push_back(
        {blame, std::move(verdict), std::move(detail), ofTap});
  }

  static llvm::Error said() { return llvm::createStringError(""); }

  llvm::Error compileTo(const std::string &path, bool taps) {
    CompileOptions one = build;
    one.output = path;
    one.stop = "exe";
    one.pipeline.taps = taps;
    one.pack = !plain; // else the weights are those of the one judged
    return compileModel(one) == 0 ? llvm::Error::success() : said();
  }

  llvm::Error prepare() {
    bool isApp = isExecutable(options.subject);
    if (isApp) {
      plain.emplace(options.subject, options.weights, folder);
      if (!llvm::StringRef(options.subject).contains('/'))
        plain->path = "./" + options.subject;
      if (llvm::Error error = plain->readInfo(build))
        return error;
    } else {
      build.model = options.subject;
    }
    build.output = folder.at("app");
    if (std::optional<std::string> problem = resolve(build))
      return userError(*problem);
    if (!build.context) {
      // What the prompt needs, and no more: taps take memory by the token.
      build.context = 256;
    }
    if (llvm::Error error = openStages())
      return error;
    if (llvm::Error error = openReference())
      return error;
    if (!isApp) {
      if (llvm::Error error = compileTo(folder.at("app"), false))
        return error;
      plain.emplace(folder.at("plain"), folder.at("app.weights"), folder);
      if (std::error_code error =
              llvm::sys::fs::rename(folder.at("app"), plain->path))
        return userError("cannot rename `" + folder.at("app") +
                         "`: " + error.message());
    }
    if (plain->hasTaps) {
      tapped.emplace(*plain);
    } else {
      if (llvm::Error error = compileTo(folder.at("app"), true))
        return error;
      tapped.emplace(folder.at("app"), plain->weights, folder);
    }
    return chooseIds();
  }

  llvm::Error openStages() {
    const bool taps = build.pipeline.taps;
    build.pipeline.taps = true;
    stages = Stages::make(build, true);
    if (!stages)
      return said();
    // The model's own limit is known once it is open.
    if (int64_t most = stages->source().spec.maxPositions;
        *build.context > most) {
      build.context = most;
      stages = Stages::make(build, true);
      if (!stages)
        return said();
    }
    build.pipeline.taps = taps;
    return llvm::Error::success();
  }

  llvm::Error openReference() {
    if (options.reference.empty())
      return llvm::Error::success();
    if (llvm::StringRef(options.reference).ends_with(".safetensors")) {
      llvm::Expected<TapRows> read = readArrays(options.reference);
      if (!read)
        return read.takeError();
      captured = std::move(*read);
      return llvm::Error::success();
    }
    CompileOptions theirs = build;
    theirs.model = options.reference;
    theirs.pipeline.afterPass = nullptr;
    other = Stages::make(theirs, false);
    return other ? llvm::Error::success() : said();
  }

  llvm::Error chooseIds() {
    int64_t vocab = stages->source().spec.vocabSize;
    if (!options.idsPath.empty()) {
      llvm::Expected<reference::Ids> read = readIds(options.idsPath);
      if (!read)
        return read.takeError();
      ids = std::move(*read);
    } else if (!options.text.empty()) {
      llvm::Expected<reference::Ids> made = plain->tokenize(options.text);
      if (!made)
        return made.takeError();
      ids = std::move(*made);
    } else if (captured && !idsOf(*captured).empty()) {
      ids = idsOf(*captured);
    } else {
      // Tokens that lie far apart, the same for every run.
      int64_t count = std::min(options.quick ? kQuickTokens : kDefaultTokens,
                               *build.context);
      for (int64_t i = 0; i < count; ++i)
        ids.push_back(int32_t((i * 7919 + 11) % vocab));
    }
    int64_t most =
        std::min({kMostTokens, *build.context, build.pipeline.prefillChunk});
    if (ids.empty() || int64_t(ids.size()) > most)
      return userError(std::to_string(ids.size()) + " tokens; 1 to " +
                       std::to_string(most) + " can be compared");
    for (int32_t id : ids)
      if (id < 0 || id >= vocab)
        return userError(std::to_string(id) +
                         " is no token id; the model has " +
                         std::to_string(vocab));
    return llvm::Error::success();
  }

  void judgeReference() {
    llvm::Expected<TapRows> run =
        interpret(stages->imported(), stages->stored(), ids, false);
    if (!run) {
      std::string text = llvm::toString(run.takeError());
      report.add("graph", false, text);
      addFault(Blame::Frontend, "frontend: " + text, "");
      return;
    }
    reference = std::move(*run);
    if (captured)
      judgeCaptured(options.reference, *captured, stepOf(stages->imported()),
                    reference, report);
    if (other)
      judgeCheckpoint(*stages, *other, ids, reference, report);
  }

  void judgePasses() {
    if (reference.empty())
      return;
    std::optional<Finding> changed = meaningChanged(*stages, ids, reference);
    std::optional<PassFault> fault;
    if (changed || options.bisect)
      fault = bisect(*stages, ids, reference);
    if (changed && !fault)
      fault = PassFault{"partition", *changed};
    report.add("passes", !fault,
               fault ? "`" + fault->pass + "`: " +
                           (fault->finding.complaint.empty()
                                ? "changes `" + fault->finding.tap + "`"
                                : fault->finding.complaint)
                     : std::to_string(stages->all().size() - 1) +
                           " passes leave the meaning as it was");
    if (!fault)
      return;
    if (fault->pass == "import")
      addFault(Blame::Frontend, "frontend: `" + fault->finding.tap + "`",
               fault->finding.text("a step of the last token", "one of all"),
               true);
    else
      addFault(
          Blame::Pass, "pass " + fault->pass,
          fault->finding.text("after " + fault->pass + " it", "before it had"),
          true);
  }

  void judgePlan() {
    std::optional<PlanFault> fault =
        checkPlan(stages->after("partition"), stages->after("plan-buffers"));
    if (!fault && !plain->hasTaps) {
      // The build that is judged uses memory again and again.
      CompileOptions reuse = build;
      reuse.pipeline.taps = false;
      if (std::unique_ptr<Stages> own = Stages::make(reuse, true))
        fault = checkPlan(own->after("partition"), own->after("plan-buffers"));
    }
    report.add("plan", !fault,
               fault ? "`" + fault->op + "` " + fault->text
                     : "every operator reads what was written for it");
    if (fault)
      addFault(Blame::Pass, "pass " + fault->pass,
               "`" + fault->op + "` " + fault->text + "\n");
  }

  std::string weightsPath() const {
    return tapped->weights.empty() ? tapped->path + ".weights"
                                   : tapped->weights;
  }

  std::optional<PackedWeights> packed;
  double logitsBound = 0; // relative, as a root mean square

  void judgeWeights() {
    llvm::Expected<PackedWeights> opened =
        PackedWeights::open(weightsPath(), stages->after("plan-buffers"));
    if (!opened) {
      std::string text = llvm::toString(opened.takeError());
      report.add("weights", false, text);
      addFault(Blame::Weights, "weight encoding", text + "\n");
      return;
    }
    packed = std::move(*opened);
    for (const auto &[name, told] : plain->madeAnew)
      weightNoise[name] = told.noise;
    if (options.quick)
      return;
    PackedWeights::Comparison comparison =
        packed->compare(*stages->source().tensors, plain->madeAnew);
    weightNoise = std::move(comparison.noise);
    if (!comparison.notAsTold.empty()) {
      report.add("weights", false, comparison.notAsTold);
      addFault(Blame::Weights, "weight encoding: " + comparison.notAsTold, "");
      return;
    }
    if (!comparison.first) {
      const auto anew = int64_t(plain->madeAnew.size());
      report.add("weights", true,
                 std::to_string(comparison.tensors - anew) +
                     " tensors are the checkpoint's, " +
                     (anew > 0 ? std::to_string(anew) +
                                     " were made anew as the build says, "
                               : "") +
                     (comparison.worst > 0
                          ? numbers("rounded by %.3f of what their format may",
                                    comparison.worst)
                          : "to the bit"));
      return;
    }
    const WeightDamage &damage = *comparison.first;
    std::string text =
        numbers(": row %lld, column %lld: packed %.9g, stored %.9g; bound %.3g",
                (long long)damage.row, (long long)damage.column, damage.packed,
                damage.stored, damage.bound);
    report.add("weights", false, "`" + damage.tensor + "`" + text);
    addFault(Blame::Weights, "weight encoding of `" + damage.tensor + "`",
             damage.tensor + text + "\n  format " + damage.format +
                 ", layout " + damage.layout + "\n");
  }

  llvm::Error judgeRuns() {
    llvm::Expected<TapRows> prefill = tapped->taps(ids, false);
    if (!prefill)
      return prefill.takeError();
    llvm::Expected<TapRows> decode = tapped->taps(ids, true);
    if (!decode)
      return decode.takeError();
    bool known = report.faults.empty();
    judgeKernels(*prefill, *decode);
    judgeGrowth(*prefill, known);
    judgeTokens(*prefill);
    if (llvm::Error error = judgeScreen())
      return error;
    return judgeBits(*prefill);
  }

  void judgeKernels(const TapRows &prefill, const TapRows &decode) {
    if (!packed)
      return;
    LocalJudge judge(stages->after("partition"),
                     [this](llvm::StringRef name, int64_t row0, int64_t rows,
                            std::vector<double> &values) {
                       return packed->rows(name, row0, rows, values);
                     });
    llvm::Error error = judge.prefill(ids, prefill);
    if (!error && !options.quick)
      error = judge.decode(ids, prefill, decode);
    if (error) {
      addFault(Blame::Kernel, "kernels: " + llvm::toString(std::move(error)),
               "");
      return;
    }
    report.scores = std::move(judge.scores);
    report.add("kernels", !judge.first,
               std::to_string(judge.compared) + " results, worst " +
                   numbers("%.3f of its bound", judge.worst) + " (" +
                   judge.worstTap + ")");
    if (!judge.first)
      return;
    const Finding &finding = *judge.first;
    auto symbol = KernelSymbol::parse(finding.kernel);
    std::string point =
        llvm::StringRef(finding.kernel).rsplit("__").second.str();
    addFault(Blame::Kernel,
             "kernel " + (symbol ? symbol->kernel : finding.kernel) +
                 " at point " + point + ", `" + finding.tap + "`",
             finding.text("the executable", "its operator on the same inputs"),
             true);
  }

  void judgeGrowth(const TapRows &taps, bool known) {
    if (reference.empty())
      return;
    std::map<std::string, double> bounds = accumulatedBounds(
        stepOf(stages->after("partition")), reference, weightNoise);
    logitsBound = bounds["lm_head"];
    const TapScore *first = nullptr;
    double worst = 0;
    for (TapScore &score : report.scores) {
      auto mine = taps.find(score.tap);
      auto theirs = reference.find(score.tap);
      if (mine == taps.end() || theirs == reference.end())
        continue;
      score.accumulated = relativeError(mine->second, theirs->second);
      score.bound = bounds[score.tap];
      worst = std::max(worst, score.accumulated / score.bound);
      if (!(score.accumulated <= score.bound) && !first)
        first = &score;
    }
    report.add("growth", !first,
               numbers("accumulated error at most %.3f of its bound", worst) +
                   (first ? "; the first beyond it is " + first->tap : ""));
    if (!first)
      return;
    Finding finding;
    if (auto found = compareRelative(taps.at(first->tap),
                                     reference.at(first->tap), first->bound))
      finding = *found;
    finding.tap = first->tap;
    describe(finding, opNamed(stepOf(stages->after("partition")), first->tap));
    addFault(Blame::Growth,
             "error grows beyond its bound at `" + first->tap + "`" +
                 (known ? ", though no operator is wrong" : ""),
             finding.text("the executable", "the reference"), true);
  }

  void judgeTokens(const TapRows &taps) {
    auto chosen = taps.find("argmax");
    auto logits = reference.find("lm_head");
    auto mine = taps.find("lm_head");
    if (chosen == taps.end() || logits == reference.end() ||
        mine == taps.end() ||
        logits->second.values.size() != mine->second.values.size())
      return;
    int64_t eligible = logits->second.width, same = 0;
    mlir::Operation *op = opNamed(stepOf(stages->after("partition")), "argmax");
    if (op)
      eligible = llvm::cast<ir::ArgmaxOp>(op).getEligible();
    int64_t rows = logits->second.tokens;
    bool good = true;
    std::string others;
    std::vector<int32_t> wanted = reference::argmax(logits->second, eligible);
    std::vector<int32_t> largest = reference::argmax(mine->second, eligible);
    for (int64_t t = 0; t < rows; ++t) {
      auto ours = int64_t(chosen->second.values[size_t(t)]);
      if (ours != largest[size_t(t)]) {
        good = false;
        addFault(Blame::Kernel, "kernel argmax",
                 numbers("position %lld: token %lld is not the largest logit\n",
                         (long long)t, (long long)ours));
        continue;
      }
      same += ours == wanted[size_t(t)];
      if (ours == wanted[size_t(t)])
        continue;
      const double *row = logits->second.row(t);
      double error = 0, squares = 0;
      for (int64_t i = 0; i < eligible; ++i) {
        error = std::max(error, std::fabs(mine->second.row(t)[i] - row[i]));
        squares += row[i] * row[i];
      }
      double gap = row[wanted[size_t(t)]] - row[ours];
      double allowed =
          std::min(error, logitsBound * std::sqrt(squares / double(eligible)));
      std::string text = numbers(
          "position %lld: token %lld, the reference's %d, %.3g apart; the "
          "logits differ by up to %.3g",
          (long long)t, (long long)ours, int(wanted[size_t(t)]), gap, error);
      if (gap <= 2 * allowed) {
        report.nearTies.push_back(text);
        continue;
      }
      good = false;
      others += text + "\n";
    }
    if (!others.empty())
      addFault(Blame::Growth, "other greedy tokens, and no near ties", others);
    report.add("tokens", good,
               std::to_string(same) + " of " + std::to_string(rows) +
                   " greedy tokens agree, " +
                   std::to_string(report.nearTies.size()) + " near ties");
  }

  llvm::Error judgeScreen() {
    if (!stages->after("partition").lookupSymbol("decode_screened"))
      return llvm::Error::success();
    llvm::Expected<Runs> runs = compareScreened(*plain, ids, *build.context);
    if (!runs)
      return runs.takeError();
    report.add("screen", runs->difference.empty(),
               runs->difference.empty()
                   ? std::to_string(runs->count) +
                         " runs with the screened head: the tokens of all "
                         "logits"
                   : runs->difference);
    if (!runs->difference.empty())
      addFault(Blame::Kernel, "screened head", runs->difference + "\n");
    return llvm::Error::success();
  }

  /// The build without taps, by threads and chunks, to the bit.
  llvm::Error judgeBits(const TapRows &taps) {
    llvm::Expected<Runs> runs =
        compareRuns(*plain, ids, taps.at("lm_head"),
                    {.context = *build.context,
                     .prefillChunk = build.pipeline.prefillChunk,
                     .thorough = options.deterministic});
    if (!runs)
      return runs.takeError();
    report.add("bits", runs->difference.empty(),
               runs->difference.empty()
                   ? std::to_string(runs->count) +
                         " runs without taps, by threads and chunks" +
                         (options.deterministic
                              ? ", with and without drafted tokens"
                              : "") +
                         ": equal logits"
                   : runs->difference);
    if (!runs->difference.empty())
      addFault(Blame::Runtime, "runtime", runs->difference + "\n");
    return llvm::Error::success();
  }
};

} // namespace
} // namespace verify

std::string checkExecutable(const std::string &path, const std::string &weights,
                            const CompileOptions &build) {
  VerifyOptions options;
  options.subject = path;
  options.weights = weights;
  options.build = build;
  options.build.check = options.build.embedWeights = options.build.time = false;
  // Formats and values are chosen.
  options.build.bits.reset();
  options.build.calibratePath = options.build.calibrateIds = "";
  options.build.pipeline.dumpFolder.clear();
  options.quick = true;
  return verify::Verification(options).check();
}

int verifyModel(const VerifyOptions &options) {
  return verify::Verification(options).run();
}

} // namespace qwen
