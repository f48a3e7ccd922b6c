// Bench.cpp - `qwenc-kernel bench`: how fast kernels run beside the rate at
// which this machine reads memory.
//
// Units   GB/s counts weight and cache bytes of a call; GOP/s counts a
// multiplication and an addition as two Weights are copies of one chunk,
// together larger than any cache, unless --hot; the read rate is measured in
// turn with the kernel, over the same bytes and with the same threads.
#include "codegen/kernels/Trial.h"
#include "tools/qwenc-kernel/SharedObject.h"
#include "tools/qwenc-kernel/Space.h"
#include "tools/qwenc-kernel/Subcommands.h"
#include "tools/qwenc-kernel/Timing.h"

#include <algorithm>
#include <atomic>
#include <iomanip>
#include <iostream>
#include <thread>

namespace qwen {
namespace {

using codegen::Trial;

struct Flags {
  std::vector<std::string> symbols;
  std::string kernel, target;
  int64_t threads = 1, tokens = 1, position = -1, repeats = 7, megabytes = 192;
  bool hot = false;
};

/// Runs work(thread, index) for every index, claimed in order, on the given
/// number of threads; seconds taken.
template <typename Work>
double parallel(int64_t threads, int64_t count, Work work) {
  std::atomic<int64_t> next{0};
  const auto run = [&](int64_t thread) {
    for (int64_t i; (i = next.fetch_add(1)) < count;)
      work(thread, i);
  };
  const double start = seconds(threads == 1);
  std::vector<std::thread> others;
  for (int64_t thread = 1; thread < threads; ++thread)
    others.emplace_back(run, thread);
  run(0);
  for (std::thread &thread : others)
    thread.join();
  return seconds(threads == 1) - start;
}

void measure(const SharedObject &library, const KernelSymbol &symbol,
             const Flags &flags) {
  void *function = library.find(symbol);
  if (!function)
    return;
  const int64_t tokens = symbol.dim("t") == 1 ? 1 : flags.tokens;
  const int64_t longest = symbol.dim("s") > 0 ? symbol.dim("s") - tokens : 0;
  const int64_t position =
      flags.position < 0 ? longest : std::min(flags.position, longest);
  std::vector<std::unique_ptr<Trial>> trials;
  for (int64_t thread = 0; thread < flags.threads; ++thread)
    trials.push_back(std::make_unique<Trial>(symbol, tokens, position, 1));
  const WeightCopies chunks(*trials[0], flags.hot ? 0 : flags.megabytes << 20);
  std::vector<std::vector<codegen::PreparedCall>> prepared;
  for (const std::unique_ptr<Trial> &trial : trials) {
    prepared.emplace_back();
    for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
      std::vector<uint8_t *> hosts = trial->hosts();
      if (chunks.chunkBytes) {
        const std::vector<uint8_t *> weights = chunks.at(chunk);
        const std::vector<int64_t> sizes = trial->planeSizes();
        for (size_t j = 0; j < hosts.size(); ++j)
          if (sizes[j])
            hosts[j] = weights[j];
      }
      prepared.back().push_back(trial->prepare(hosts));
    }
  }
  // Without weights, or with one chunk in cache, a call is repeated until the
  // clock can see it.
  const int64_t calls = chunks.count > 1 ? chunks.count : 256 * flags.threads;
  std::atomic<uint64_t> keep{0};
  std::vector<double> times, reads;
  for (int64_t repeat = 0; repeat < flags.repeats; ++repeat) {
    times.push_back(
        parallel(flags.threads, calls, [&](int64_t thread, int64_t i) {
          prepared[size_t(thread)][size_t(i % chunks.count)].run(function);
        }));
    if (chunks.count > 1)
      reads.push_back(
          parallel(flags.threads, chunks.count, [&](int64_t, int64_t i) {
            keep += readAll(chunks.bytes + i * chunks.chunkBytes,
                            chunks.chunkBytes);
          }));
  }
  const double time = median(times) / double(calls);
  std::cout << symbol.str() << "  " << std::fixed << std::setprecision(2)
            << time * 1e6 << " us";
  const int64_t bytes = trials[0]->inputBytes();
  if (bytes)
    std::cout << "  " << double(bytes) / time * 1e-9 << " GB/s";
  if (!reads.empty()) {
    const double rate = double(chunks.size()) / median(reads);
    std::cout << " (" << std::setprecision(0)
              << 100 * double(bytes) / time / rate << "% of "
              << std::setprecision(2) << rate * 1e-9 << ")";
  }
  if (trials[0]->kernel.products)
    std::cout << "  " << std::setprecision(1)
              << 2 * double(trials[0]->kernel.products(*trials[0])) / time *
                     1e-9
              << " GOP/s";
  std::cout << std::endl;
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
  for (const codegen::Kernel &kernel : codegen::kernels()) {
    if (!flags.symbols.empty() ||
        (!flags.kernel.empty() && flags.kernel != kernel.interface.name))
      continue;
    for (const std::vector<std::string> &options :
         optionCombinations(*catalog, kernel.interface)) {
      std::vector<std::pair<std::string, int64_t>> dims =
          kernel.cases.front().dims;
      dims.emplace_back("t", flags.tokens == 1 ? 1 : 0);
      std::string error;
      if (const auto symbol =
              catalog->chooseSymbol(kernel.interface.name, options, dims,
                                    target->name, nullptr, error))
        symbols.push_back(*symbol);
    }
  }
  try {
    const SharedObject library(
        symbols, std::max(1u, std::thread::hardware_concurrency()));
    for (const std::string &failure : library.failures())
      std::cerr << "qwenc-kernel: error: " << failure << "\n";
    for (const KernelSymbol &symbol : symbols)
      measure(library, symbol, flags);
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
      ->add_option("--repeats", flags->repeats,
                   "measurements; their median counts")
      ->check(CLI::Range(1, 1000));
  command->add_option("--megabytes", flags->megabytes, "weights to stream over")
      ->check(CLI::Range(1, 1 << 20));
  command->add_flag("--hot", flags->hot, "one chunk, in cache");
  command->callback([flags, &status] { status = runBench(*flags); });
}

} // namespace qwen
