// TuneCommand.cpp - `qwenc-kernel tune`: searches the schedule of each kernel
// that is named.
#include "codegen/tuning/Budget.h"
#include "tools/qwenc-kernel/Subcommands.h"
#include "tools/qwenc-kernel/tune/Tuner.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

namespace qwen {
namespace {

struct Flags {
  std::vector<std::string> kernels;
  std::string budget = "10m", search = "evolve", seeds;
  TuneRequest request;
};

int refuse(const std::string &text) {
  std::cerr << "qwenc-kernel: error: " << text << "\n";
  return 1;
}

int runTune(Flags &flags) {
  const std::optional<KernelCatalog> catalog = loadCatalog("");
  if (!catalog)
    return 1;
  TuneRequest &request = flags.request;
  std::string error;
  const auto budget = parseBudget(flags.budget, error);
  if (!budget)
    return refuse(error);
  request.budgetSeconds = *budget;
  request.strategy =
      flags.search == "random" ? Strategy::Random : Strategy::Evolve;
  if (request.jobs == 0)
    request.jobs =
        std::max<int64_t>(1, int64_t(std::thread::hardware_concurrency()));
  for (std::string text : flags.kernels) {
    int64_t calls = 1;
    if (const size_t star = text.find('*'); star != std::string::npos) {
      const char *end = text.data() + text.size();
      const auto [rest, code] =
          std::from_chars(text.data() + star + 1, end, calls);
      if (code != std::errc() || rest != end || calls < 1)
        return refuse("`" + text + "` ends in no number of calls");
      text.resize(star);
    }
    std::vector<KernelSymbol> symbols;
    if (!parseSymbols({text}, symbols))
      return 1;
    if (const auto problem = catalog->check(symbols.front()))
      return refuse(*problem);
    request.kernels.push_back({symbols.front(), calls});
  }
  request.target = request.kernels.front().symbol.target;
  for (const TuneRequest::Row &row : request.kernels)
    if (row.symbol.target != request.target)
      return refuse("kernels of the targets `" + request.target + "` and `" +
                    row.symbol.target + "` cannot share a file");
  for (const std::string &feature : catalog->target(request.target)->features)
    if (!cpuHasFeature(feature))
      return refuse("this machine's cpu has no `" + feature +
                    "`, which target `" + request.target + "` needs");
  if (!flags.seeds.empty()) {
    std::ifstream file(flags.seeds);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    request.seeds = ScheduleFile::parse(text, *catalog, error);
    if (!file || !request.seeds) {
      std::cerr << flags.seeds
                << ": error: " << (file ? error : "cannot be read") << "\n";
      return 1;
    }
  }
  std::error_code problem;
  if (!request.objects.empty())
    std::filesystem::create_directories(request.objects, problem);
  if (problem)
    return refuse("cannot create `" + request.objects +
                  "`: " + problem.message());
  return tuneKernels(*catalog, request);
}

} // namespace

void addTune(CLI::App &app, int &status) {
  auto flags = std::make_shared<Flags>();
  TuneRequest &request = flags->request;
  request.workload.threads = {1};
  CLI::App *command =
      app.add_subcommand("tune", "search schedules by measuring them");
  command
      ->add_option("kernels", flags->kernels,
                   "kernel symbols, each with *CALLS in a step if not one")
      ->required();
  command->add_option("-o,--output", request.output, "file of results")
      ->required();
  command->add_option("--budget", flags->budget, "time for all of it")
      ->capture_default_str();
  command
      ->add_option("-t,--threads", request.workload.threads,
                   "team sizes that a point is timed with")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("-T,--tokens", request.workload.tokens,
                   "tokens of a t0 kernel")
      ->check(CLI::Range(1, 1 << 16));
  command
      ->add_option("--position", request.workload.position,
                   "first position in a cache")
      ->check(CLI::Range(0, 1 << 20));
  command->add_option("--seed", request.seed, "of everything drawn");
  command
      ->add_option("--candidates", request.candidates,
                   "at most so many for a kernel; 0: what the budget allows")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--search", flags->search, "evolve or random")
      ->check(CLI::IsMember({"evolve", "random"}))
      ->capture_default_str();
  command->add_option("--seeds", flags->seeds,
                      "schedule file whose points are tried first");
  command->add_option("--objects", request.objects,
                      "folder of compiled kernels, taken and left there");
  command->add_option("-j,--jobs", request.jobs, "kernels compiled at a time")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--again", request.again,
                    "measure what the file has already");
  command->add_flag("--exhaustive", request.exhaustive,
                    "try every legal point");
  request.jobs = 0;
  command->callback([flags, &status] { status = runTune(*flags); });
}

} // namespace qwen
