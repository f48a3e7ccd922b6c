// Bench.cpp - `qwenc-kernel bench`: Google Benchmark over the kernel registry,
// each kernel beside this machine's roofs.
//
// Units   bytes counts weight and cache bytes of a call; operations counts a
// multiplication and an addition as two. % of memory is of the read rate,
// measured before each run over the same bytes with the same threads; % of peak
// is of the multipliers' rate.
// Weights are copies of one chunk, together larger than any cache, unless
// --hot.
#include "codegen/kernels/Trial.h"
#include "tools/qwenc-kernel/PlaceFile.h"
#include "tools/qwenc-kernel/SharedObject.h"
#include "tools/qwenc-kernel/Space.h"
#include "tools/qwenc-kernel/Subcommands.h"
#include "tools/qwenc-kernel/Timing.h"
#include "tools/qwenc-kernel/tune/Roof.h"

#include <algorithm>
#include <atomic>
#include <benchmark/benchmark.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <thread>

namespace qwen {
namespace {

using codegen::Trial;

struct Flags {
  std::vector<std::string> symbols;
  std::string kernel, target;
  int64_t threads = 1, tokens = 1, position = -1, megabytes = 192;
  double minimumSeconds = 0.2;
  std::string json;
  bool hot = false;
};

/// A compiled kernel and one call of it for every thread and chunk.
class Subject {
public:
  Subject(void *compiled, const KernelSymbol &symbol, const Flags &flags,
          const Roof &measured)
      : function(compiled), roof(measured), threads(flags.threads) {
    const int64_t tokens = symbol.dim("t") == 1 ? 1 : flags.tokens;
    const int64_t longest = symbol.dim("s") > 0 ? symbol.dim("s") - tokens : 0;
    const int64_t position =
        flags.position < 0 ? longest : std::min(flags.position, longest);
    for (int64_t thread = 0; thread < threads; ++thread)
      trials.push_back(std::make_unique<Trial>(symbol, tokens, position, 1));
    chunks = std::make_unique<InputCopies>(
        *trials[0], flags.hot ? 0 : flags.megabytes << 20);
    for (const std::unique_ptr<Trial> &trial : trials) {
      calls.emplace_back();
      for (int64_t chunk = 0; chunk < chunks->count; ++chunk) {
        std::vector<uint8_t *> hosts = trial->hosts();
        if (chunks->chunkBytes)
          chunks->place(chunk, hosts);
        calls.back().push_back(trial->prepare(hosts));
      }
    }
  }

  void run(benchmark::State &state) const {
    const bool first = state.thread_index() == 0;
    const double readRate = first ? readBytesPerSecond() : 0;
    const std::vector<codegen::PreparedCall> &mine =
        calls[size_t(state.thread_index())];
    // Threads take turns over the chunks, as a team claims them.
    auto chunk = size_t(state.thread_index());
    const bool alone = threads == 1;
    const double start = seconds(alone);
    for (auto _ : state) {
      mine[chunk % mine.size()].run(function);
      chunk += size_t(threads);
    }
    if (first)
      count(state, readRate,
            (seconds(alone) - start) /
                double(int64_t(state.iterations()) * threads));
  }

private:
  /// Counters of the whole team; one thread sets them.
  void count(benchmark::State &state, double readRate,
             double callSeconds) const {
    const auto bytes = double(trials[0]->inputBytes());
    state.counters["bytes"] = bytes;
    state.counters["GB/s"] = bytes / callSeconds * 1e-9;
    if (readRate > 0)
      state.counters["% of memory"] = 100 * bytes / callSeconds / readRate;
    if (!trials[0]->kernel.products)
      return;
    const auto products = double(trials[0]->kernel.products(*trials[0]));
    const double peak =
        trials[0]->quantised() ? roof.integerProducts : roof.floatProducts;
    state.counters["operations"] = 2 * products;
    state.counters["GOP/s"] = 2 * products / callSeconds * 1e-9;
    state.counters["% of peak"] =
        100 * products / callSeconds / (peak * double(threads));
  }

  /// 0 where the weights are not in memory but in a cache.
  double readBytesPerSecond() const {
    if (chunks->count == 1)
      return 0;
    std::atomic<int64_t> next{0};
    std::atomic<uint64_t> keep{0};
    const auto read = [&] {
      for (int64_t i; (i = next.fetch_add(1)) < chunks->count;)
        keep +=
            readAll(chunks->bytes + i * chunks->chunkBytes, chunks->chunkBytes);
    };
    const bool alone = threads == 1;
    const double start = seconds(alone);
    std::vector<std::thread> others;
    for (int64_t thread = 1; thread < threads; ++thread)
      others.emplace_back(read);
    read();
    for (std::thread &thread : others)
      thread.join();
    return double(chunks->size()) / (seconds(alone) - start);
  }

  void *function;
  Roof roof;
  int64_t threads;
  std::vector<std::unique_ptr<Trial>> trials; // one a thread
  std::unique_ptr<InputCopies> chunks;
  std::vector<std::vector<codegen::PreparedCall>> calls; // by thread, chunk
};

/// The subject that runs now: all kernels' weights at once would fill the
/// memory.
class CurrentSubject {
public:
  const Subject &get(void *function, const KernelSymbol &symbol,
                     const Flags &flags, const Roof &roof) {
    const std::lock_guard lock(mutex);
    if (!subject || name != symbol.str()) {
      subject.reset();
      subject = std::make_unique<Subject>(function, symbol, flags, roof);
      name = symbol.str();
    }
    return *subject;
  }

private:
  std::mutex mutex;
  std::string name;
  std::unique_ptr<Subject> subject;
};

/// The cases of every kernel, or of one, for a target.
std::vector<KernelSymbol> casesOf(const KernelCatalog &catalog,
                                  const CatalogTarget &target,
                                  const Flags &flags) {
  std::vector<KernelSymbol> symbols;
  for (const codegen::Kernel &kernel : codegen::kernels()) {
    if (!flags.kernel.empty() && flags.kernel != kernel.interface.name)
      continue;
    for (const std::vector<std::string> &options :
         optionCombinations(catalog, kernel.interface)) {
      std::vector<std::pair<std::string, int64_t>> dims =
          kernel.cases.front().dims;
      dims.emplace_back("t", flags.tokens == 1 ? 1 : 0);
      std::string error;
      if (const auto symbol =
              catalog.chooseSymbol(kernel.interface.name, options, dims,
                                   target.name, nullptr, error))
        symbols.push_back(*symbol);
    }
  }
  return symbols;
}

/// Prints a table; `json`, if given, appears by rename.
bool runBenchmarks(double minimumSeconds, const std::string &json) {
  const std::string part = json + ".part", option = "--benchmark_out=" + part,
                    least = "--benchmark_min_time=" +
                            std::to_string(minimumSeconds);
  std::vector<const char *> arguments = {"qwenc-kernel", least.c_str()};
  if (!json.empty()) {
    std::string reason = notReplaceable(json);
    if (reason.empty() && !std::ofstream(part))
      reason = "cannot be written";
    if (!reason.empty()) {
      std::cerr << json << ": error: " << reason << "\n";
      return false;
    }
    arguments.push_back(option.c_str());
  }
  auto count = int(arguments.size());
  benchmark::Initialize(&count, const_cast<char **>(arguments.data()));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (json.empty())
    return true;
  const std::string reason = placeFile(part, json);
  if (!reason.empty())
    std::cerr << json << ": error: cannot be written: " << reason << "\n";
  return reason.empty();
}

int runBench(const Flags &flags) {
  const std::optional<KernelCatalog> catalog = loadCatalog("");
  std::vector<KernelSymbol> symbols;
  if (!catalog || !parseSymbols(flags.symbols, symbols))
    return 1;
  const CatalogTarget *target =
      flags.target.empty() ? catalog->host() : catalog->target(flags.target);
  if (!target) {
    std::cerr << "qwenc-kernel: error: no target `" << flags.target << "`\n";
    return 1;
  }
  if (symbols.empty())
    symbols = casesOf(*catalog, *target, flags);
  if (symbols.empty()) {
    std::cerr << "qwenc-kernel: error: no kernel `" << flags.kernel << "`\n";
    return 1;
  }
  try {
    const SharedObject library(
        symbols, std::max(1u, std::thread::hardware_concurrency()));
    for (const std::string &failure : library.failures())
      std::cerr << "qwenc-kernel: error: " << failure << "\n";
    const Roof roof = measureRoof(*target);
    benchmark::AddCustomContext("cpu", cpuName());
    benchmark::AddCustomContext("target", target->name);
    for (const auto &[name, rate] :
         {std::pair("read_bytes_per_second", roof.bytesPerSecond),
          std::pair("float_operations_per_second", 2 * roof.floatProducts),
          std::pair("integer_operations_per_second", 2 * roof.integerProducts)})
      benchmark::AddCustomContext(std::string("one_thread_") + name,
                                  std::to_string(int64_t(rate)));
    CurrentSubject current;
    for (const KernelSymbol &symbol : symbols) {
      void *function = library.find(symbol);
      if (!function)
        continue;
      auto *registered = benchmark::RegisterBenchmark(
          symbol.str().c_str(), [&, function, symbol](benchmark::State &state) {
            current.get(function, symbol, flags, roof).run(state);
          });
      registered->Unit(benchmark::kMicrosecond);
      if (flags.threads > 1)
        registered->Threads(int(flags.threads))->UseRealTime();
    }
    if (!runBenchmarks(flags.minimumSeconds, flags.json))
      return 1;
    return library.failures().empty() ? 0 : 1;
  } catch (const codegen::KernelError &error) {
    std::cerr << "qwenc-kernel: error: " << error.text << "\n";
    return 1;
  }
}

} // namespace

void addBench(CLI::App &app, int &status) {
  auto flags = std::make_shared<Flags>();
  CLI::App *command = app.add_subcommand(
      "bench", "measure kernels beside the memory read rate");
  command->add_option("symbols", flags->symbols,
                      "kernel symbols; the cases of all kernels if left out");
  command->add_option("--kernel", flags->kernel,
                      "kernel whose cases are measured");
  command->add_option("--target", flags->target,
                      "target of the cases; the best of this cpu if left out");
  command
      ->add_option("-t,--threads", flags->threads, "threads that claim chunks")
      ->check(CLI::Range(1, 1024));
  command->add_option("-T,--tokens", flags->tokens, "tokens of a t0 kernel")
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--position", flags->position,
                      "first position; the last possible if left out");
  command
      ->add_option("--megabytes", flags->megabytes,
                   "weights or cache to stream over")
      ->check(CLI::Range(1, 1 << 20));
  command->add_flag("--hot", flags->hot, "one chunk, in cache");
  command
      ->add_option("--min-time", flags->minimumSeconds,
                   "seconds that each kernel is run for at least")
      ->check(CLI::Range(0.001, 60.0));
  command->add_option("--json", flags->json, "file for the results as JSON");
  command->callback([flags, &status] { status = runBench(*flags); });
}

} // namespace qwen
