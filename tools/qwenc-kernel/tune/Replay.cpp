// Replay.cpp - `qwenc-kernel replay`: what each search would have found, on the
// figures of an exhaustive one.
//
// The figures are the same for all, so the searches differ by nothing but their
// proposals; kernels come in an order of the seed's, since what is learnt of
// one helps with the next.
#include "codegen/catalog/Tuned.h"
#include "codegen/tuning/Search.h"
#include "tools/qwenc-kernel/Subcommands.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>

namespace qwen {
namespace {

struct Flags {
  std::string path;
  std::vector<int64_t> candidates = {2, 4, 8, 12, 16, 24};
  int64_t seeds = 50, batch = 2;
};

/// ln(best found / best there is) of one kernel after each number of
/// candidates.
std::vector<double> regrets(const TunedKernel &kernel, CostModel &model,
                            Strategy strategy, uint64_t seed,
                            const Flags &flags) {
  std::vector<KernelSymbol> points;
  for (const TunedTrial &trial : kernel.trials) {
    points.push_back(kernel.symbol);
    points.back().point = trial.point;
  }
  const double base = kernel.trials.front().microseconds;
  double least = base;
  for (const TunedTrial &trial : kernel.trials)
    if (!trial.failed)
      least = std::min(least, trial.microseconds);
  Search search(points, 0, model, strategy, seed);
  search.tell(0, 1);
  double best = base;
  std::vector<double> list;
  int64_t tried = 0;
  for (const int64_t count : flags.candidates) {
    while (tried < count) {
      const std::vector<size_t> batch =
          search.propose(std::min(flags.batch, count - tried));
      if (batch.empty())
        break;
      for (const size_t index : batch) {
        const TunedTrial &trial = kernel.trials[index];
        search.tell(index, trial.failed
                               ? std::numeric_limits<double>::infinity()
                               : trial.microseconds / base);
        if (!trial.failed)
          best = std::min(best, trial.microseconds);
      }
      tried += int64_t(batch.size());
    }
    list.push_back(std::log(best / least));
  }
  return list;
}

int runReplay(const Flags &flags) {
  const std::optional<KernelCatalog> catalog = loadCatalog("");
  if (!catalog)
    return 1;
  std::ifstream in(flags.path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  std::string error;
  auto file = TunedFile::parse(text.str(), *catalog, error);
  if (!in || !file) {
    std::cerr << flags.path << ": error: " << (in ? error : "cannot be read")
              << "\n";
    return 1;
  }
  std::erase_if(file->kernels, [](const TunedKernel &kernel) {
    return kernel.trials.size() < 3 || kernel.trials.front().failed;
  });
  if (file->kernels.empty()) {
    std::cerr << flags.path << ": error: has no kernel with a choice\n";
    return 1;
  }
  std::printf("%zu kernels, %d seeds: time over the best known, geometric "
              "mean\ncandidates    random    evolve\n",
              file->kernels.size(), int(flags.seeds));
  std::vector<std::vector<double>> sums(
      2, std::vector<double>(flags.candidates.size(), 0));
  for (const Strategy strategy : {Strategy::Random, Strategy::Evolve})
    for (int64_t seed = 0; seed < flags.seeds; ++seed) {
      CostModel model(*catalog);
      std::mt19937_64 order{uint64_t(seed)};
      std::vector<size_t> kernels(file->kernels.size());
      for (size_t i = 0; i < kernels.size(); ++i) {
        kernels[i] = i;
        std::swap(kernels[i], kernels[order() % (i + 1)]);
      }
      for (const size_t kernel : kernels) {
        const std::vector<double> list =
            regrets(file->kernels[kernel], model, strategy,
                    uint64_t(seed) * 1000 + kernel, flags);
        for (size_t i = 0; i < list.size(); ++i)
          sums[strategy == Strategy::Evolve][i] += list[i];
      }
    }
  const double count = double(flags.seeds) * double(file->kernels.size());
  for (size_t i = 0; i < flags.candidates.size(); ++i)
    std::printf("%10d  %8.4f  %8.4f\n", int(flags.candidates[i]),
                std::exp(sums[0][i] / count), std::exp(sums[1][i] / count));
  return 0;
}

} // namespace

void addReplay(CLI::App &app, int &status) {
  auto flags = std::make_shared<Flags>();
  CLI::App *command = app.add_subcommand(
      "replay", "compare searches on the figures of `tune --exhaustive`");
  command->add_option("file", flags->path, "file of results")->required();
  command
      ->add_option("--candidates", flags->candidates,
                   "numbers of candidates after which to look, ascending")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--seeds", flags->seeds, "runs that are averaged")
      ->check(CLI::Range(1, 100000));
  command->add_option("--batch", flags->batch, "proposals at a time")
      ->check(CLI::Range(1, 1024));
  command->callback([flags, &status] { status = runReplay(*flags); });
}

} // namespace qwen
