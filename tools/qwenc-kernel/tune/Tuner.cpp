// Tuner.cpp - one kernel after the other, the dearest with the most time.
#include "tools/qwenc-kernel/tune/Tuner.h"
#include "tools/qwenc-kernel/SharedObject.h"
#include "tools/qwenc-kernel/Space.h"
#include "tools/qwenc-kernel/tune/Progress.h"
#include "tools/qwenc-kernel/tune/ResultFile.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <iostream>
#include <map>

namespace qwen {

volatile int tuneStop = 0;

namespace {

constexpr int64_t kScreening = 5; // rotations of a candidate's first timing
constexpr int64_t kFinalists = 4;
constexpr int64_t kPatience = 14; // candidates without a gain end a search
constexpr double kGain = 0.99;    // a smaller one is noise
constexpr int64_t kCompileSeconds = 60;

/// One kernel's search and what it needs.
struct Job {
  const TuneRequest::Row *row;
  std::vector<KernelSymbol> points;
  size_t start = 0;          // the default among the points
  std::vector<size_t> seeds; // tried first: the caller's point, and known ones
  double share = 0;          // of the time
};

class Tuner {
public:
  Tuner(const KernelCatalog &catalog, const TuneRequest &request)
      : catalog(catalog), request(request), model(catalog),
        results(catalog, request.target, request.output), began(seconds()),
        progress(request.budgetSeconds) {}

  int run() {
    if (!results.open(request.again))
      return 1;
    roof = measureRoof(*catalog.target(request.target));
    std::vector<Job> jobs = plan();
    progress.total = int64_t(jobs.size()) + resumed;
    progress.done = resumed;
    int64_t unreached = 0;
    for (size_t i = 0; i < jobs.size() && !tuneStop; ++i) {
      double shares = 0;
      for (size_t j = i; j < jobs.size(); ++j)
        shares += jobs[j].share;
      const double left = request.budgetSeconds - (seconds() - began);
      if (left <= 0) {
        unreached = int64_t(jobs.size() - i);
        break;
      }
      if (!tune(jobs[i], left * jobs[i].share / shares))
        return 1;
    }
    progress.finish(results.file(), tuneStop != 0, unreached, fixedKernels,
                    results.path());
    return tuneStop ? 130 : 0;
  }

private:
  const KernelCatalog &catalog;
  const TuneRequest &request;
  CostModel model;
  ResultFile results;
  const double began;
  Progress progress;
  Roof roof;
  int64_t resumed = 0, fixedKernels = 0;

  /// Whether bytes are multiplied without being widened first.
  std::vector<Job> plan() {
    std::vector<Job> jobs;
    double decode = 0, prefill = 0;
    std::map<const TuneRequest::Row *, double> costs;
    for (const TuneRequest::Row &row : request.kernels) {
      Job job{&row, {}, 0, {}, 0};
      for (const KernelSymbol &point :
           legalPoints(catalog, *catalog.kernel(row.symbol.kernel), row.symbol))
        if (fitsTarget(catalog, point))
          job.points.push_back(point);
      std::string error;
      const auto start = catalog.chooseSymbol(
          row.symbol.kernel, row.symbol.options, row.symbol.dims,
          row.symbol.target, nullptr, error);
      job.start = indexOf(job.points, *start);
      job.seeds = {indexOf(job.points, row.symbol)};
      if (request.seeds)
        if (const auto known = catalog.chooseSymbol(
                row.symbol.kernel, row.symbol.options, row.symbol.dims,
                row.symbol.target, &*request.seeds, error))
          job.seeds.push_back(indexOf(job.points, *known));
      if (job.points.size() < 2) {
        ++fixedKernels;
        continue;
      }
      if (results.file().find(row.symbol)) {
        ++resumed;
        continue;
      }
      const double products = double(
          row.symbol.dim("k") > 0
              ? row.symbol.dim("k") * std::max<int64_t>(1, row.symbol.dim("m"))
              : 1 << 16);
      const bool one = row.symbol.dim("t") == 1;
      costs[&row] = products * double(row.calls);
      (one ? decode : prefill) += costs[&row];
      jobs.push_back(job);
    }
    // A flat share beside the weighted one: a small kernel's figures teach the
    // model too.
    for (Job &job : jobs) {
      const bool one = job.row->symbol.dim("t") == 1;
      const double part = costs[job.row] / (one ? decode : prefill);
      job.share = 0.1 + std::sqrt(part);
    }
    std::sort(jobs.begin(), jobs.end(), [](const Job &a, const Job &b) {
      return a.share != b.share ? a.share > b.share : a.row < b.row;
    });
    return jobs;
  }

  /// Where the symbol's point is; added when no rule of the target allows it.
  static size_t indexOf(std::vector<KernelSymbol> &points,
                        const KernelSymbol &symbol) {
    for (size_t i = 0; i < points.size(); ++i)
      if (points[i].point == symbol.point)
        return i;
    points.push_back(symbol);
    return points.size() - 1;
  }

  /// What one kernel's search holds on to.
  struct Session {
    Session(const Job &job, CostModel &model, const TuneRequest &request)
        : search(job.points, job.start, model, request.strategy,
                 request.seed * 1000003 +
                     std::hash<std::string>{}(job.row->symbol.str())),
          runner(job.points[job.start], request.workload) {}
    Search search;
    Runner runner;
    std::vector<std::unique_ptr<SharedObject>> libraries; // stay loaded
    std::map<size_t, Candidate> compiled;
    TunedKernel result;
  };

  /// Compiles what is not compiled, and times the points against the start.
  std::vector<Outcome> measure(Session &session, std::vector<size_t> indices,
                               int64_t rotations) {
    indices.insert(indices.begin(), session.search.start());
    std::vector<KernelSymbol> missing;
    for (const size_t index : indices)
      if (!session.compiled.count(index))
        missing.push_back(session.search.point(index));
    if (!missing.empty()) {
      BuildOptions options;
      options.directory = request.objects;
      options.jobs = request.jobs;
      options.reuse = true;
      options.limitSeconds = kCompileSeconds;
      options.stop = &tuneStop;
      session.libraries.push_back(
          std::make_unique<SharedObject>(missing, options));
      for (const size_t index : indices)
        if (!session.compiled.count(index))
          session.compiled[index] = {
              session.search.point(index),
              session.libraries.back()->find(session.search.point(index))};
      for (const std::string &failure : session.libraries.back()->failures())
        if (!tuneStop)
          progress.note(failure);
    }
    std::vector<Candidate> candidates;
    for (const size_t index : indices)
      candidates.push_back(session.compiled[index]);
    if (tuneStop)
      return {};
    return session.runner.run(candidates, rotations, tuneStop);
  }

  bool tune(const Job &job, double allowed) {
    const double start = seconds();
    try {
      Session session(job, model, request);
      if (!explore(job, session, start, allowed) || tuneStop)
        return true;
      finish(job, session);
      results.put(session.result);
      progress.kernel(session.result, seconds() - began);
      return results.write();
    } catch (const codegen::KernelError &error) {
      progress.note(job.row->symbol.str() + ": " + error.text);
      return true;
    }
  }

  /// False when nothing could be measured.
  bool explore(const Job &job, Session &session, double start, double allowed) {
    int64_t sinceGain = 0;
    double best = 1, longest = 0;
    std::vector<size_t> batch;
    for (const size_t seed : job.seeds)
      if (seed != job.start &&
          std::find(batch.begin(), batch.end(), seed) == batch.end())
        batch.push_back(seed);
    session.search.tell(job.start, 1);
    for (int64_t tried = 0; !tuneStop;) {
      const int64_t most =
          request.candidates > 0
              ? std::min(request.jobs, request.candidates - tried)
              : request.jobs;
      for (const size_t index :
           session.search.propose(most - int64_t(batch.size())))
        if (std::find(batch.begin(), batch.end(), index) == batch.end())
          batch.push_back(index);
      if (batch.empty())
        break;
      const double before = seconds();
      progress.working(job.row->symbol, before - began);
      const std::vector<Outcome> outcomes = measure(session, batch, kScreening);
      if (tuneStop)
        return false;
      if (outcomes.front().failed) {
        progress.note(job.row->symbol.str() + ": the default " +
                      outcomes.front().reason);
        return false;
      }
      // All times rest on one of the default's: ratios survive a busy machine.
      if (session.result.trials.empty())
        session.result.trials.push_back({job.points[job.start].point,
                                         session.runner.baseMicroseconds(),
                                         false});
      const double base = session.result.trials.front().microseconds;
      for (size_t i = 0; i < batch.size(); ++i) {
        const Outcome &outcome = outcomes[i + 1];
        const double ratio = outcome.ratio();
        session.search.tell(batch[i], ratio);
        session.result.trials.push_back({job.points[batch[i]].point,
                                         outcome.failed ? 0 : base * ratio,
                                         outcome.failed});
        if (outcome.failed && outcome.reason != "did not compile")
          progress.note(job.points[batch[i]].str() + " " + outcome.reason);
        sinceGain = ratio < best * kGain ? 0 : sinceGain + 1;
        best = std::min(best, ratio);
      }
      tried += int64_t(batch.size());
      batch.clear();
      longest = std::max(longest, seconds() - before);
      if (request.exhaustive)
        continue;
      if (seconds() - start + longest > allowed || sinceGain >= kPatience ||
          (request.candidates > 0 && tried >= request.candidates))
        break;
    }
    return !tuneStop;
  }

  /// Takes later figures for earlier ones, which rest on fewer rotations.
  static void refine(Session &session,
                     const std::vector<std::pair<double, size_t>> &order) {
    const double base = session.result.trials.front().microseconds;
    for (TunedTrial &trial : session.result.trials)
      for (const auto &[ratio, index] : order)
        if (trial.point == session.search.point(index).point &&
            std::isfinite(ratio))
          trial.microseconds = base * ratio;
  }

  /// Survivors again, in rotation, the slower half dropped each time.
  void finish(const Job &job, Session &session) {
    std::vector<size_t> finalists = session.search.ranking();
    const std::vector<size_t> measured = finalists;
    std::erase(finalists, job.start);
    finalists.resize(std::min<size_t>(finalists.size(), kFinalists));
    // What was known before is told beside the winner by figures of one
    // rotation.
    for (const size_t seed : job.seeds)
      if (seed != job.start &&
          std::find(measured.begin(), measured.end(), seed) != measured.end() &&
          std::find(finalists.begin(), finalists.end(), seed) ==
              finalists.end())
        finalists.push_back(seed);
    size_t winner = job.start;
    double ratio = 1;
    for (int64_t rotations = 2 * kScreening + 1;
         !finalists.empty() && !tuneStop; rotations += kScreening) {
      const std::vector<Outcome> outcomes =
          measure(session, finalists, rotations);
      if (outcomes.empty() || outcomes.front().failed)
        break;
      std::vector<std::pair<double, size_t>> order;
      for (size_t i = 0; i < finalists.size(); ++i)
        order.emplace_back(outcomes[i + 1].ratio(), finalists[i]);
      refine(session, order);
      std::sort(order.begin(), order.end());
      winner = order.front().first < kGain ? order.front().second : job.start;
      ratio = order.front().first < kGain ? order.front().first : 1;
      if (finalists.size() == 1)
        break;
      finalists.clear();
      for (size_t i = 0; i < order.size() / 2; ++i)
        if (std::isfinite(order[i].first))
          finalists.push_back(order[i].second);
    }
    TunedKernel &result = session.result;
    const double base = session.runner.baseMicroseconds();
    result.symbol = job.points[winner];
    for (const CatalogKnob &knob : catalog.kernel(result.symbol.kernel)->knobs)
      result.knobs.push_back(knob.name);
    result.defaultPoint = job.points[job.start].point;
    result.defaultMicroseconds = base;
    result.microseconds = base * ratio;
    const bool integers =
        result.symbol.options.size() > 1 && result.symbol.options[1] == "q8g32";
    // A kernel that has all rows and no chunk of them looks some up, which are
    // not the bytes of a call.
    const bool looksUp =
        result.symbol.dim("n") > 0 && result.symbol.dim("m") < 0;
    result.bytes = looksUp ? 0 : session.runner.callBytes();
    result.products = session.runner.callProducts();
    result.readRate = roof.bytesPerSecond;
    result.productRate = integers ? roof.integerProducts : roof.floatProducts;
    result.roofMicroseconds =
        roof.microseconds(result.bytes, result.products, integers);
    result.calls = job.row->calls;
    result.threads = request.workload.threads;
    result.machine = cpuName();
    result.version = catalog.spaceVersion(result.symbol.kernel, request.target);
  }
};

void onStop(int) { tuneStop = 1; }

} // namespace

int tuneKernels(const KernelCatalog &catalog, const TuneRequest &request) {
  tuneStop = 0;
  // Without SA_RESTART: a wait ends at once.
  struct sigaction action = {}, oldInterrupt, oldTerminate;
  action.sa_handler = onStop;
  sigaction(SIGINT, &action, &oldInterrupt);
  sigaction(SIGTERM, &action, &oldTerminate);
  const int code = Tuner(catalog, request).run();
  sigaction(SIGINT, &oldInterrupt, nullptr);
  sigaction(SIGTERM, &oldTerminate, nullptr);
  return code;
}

} // namespace qwen
