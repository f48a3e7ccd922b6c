// Runs.cpp - threads, chunks, drafts, again and again.
#include "tools/qwenc/verify/Runs.h"

#include "llvm/Support/Threading.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace qwen::verify {
namespace {

constexpr int64_t kTimes = 10;
constexpr int64_t kGreedyTokens = 16;
constexpr int64_t kScreenedTokens = 32;

std::string way(int64_t threads, const std::string &rest) {
  return "with " + std::to_string(threads) + " threads and " + rest;
}

/// Index of the first element that is not `wanted`'s, -1 when there is none.
int64_t firstDifference(const std::string &bytes,
                        const reference::Rows &wanted) {
  if (bytes.size() != wanted.values.size() * sizeof(float))
    return 0;
  for (size_t i = 0; i < wanted.values.size(); ++i) {
    float value;
    std::memcpy(&value, bytes.data() + i * sizeof(float), sizeof(float));
    auto other = float(wanted.values[i]);
    if (value != other && !(std::isnan(value) && std::isnan(other)))
      return int64_t(i);
  }
  return -1;
}

class Comparison {
public:
  Comparison(const Executable &executable, const reference::Ids &ids,
             const RunOptions &options)
      : executable(executable), ids(ids), options(options),
        times(options.thorough ? kTimes : 1) {}

  Runs runs;

  llvm::Error logits(const reference::Rows &wanted) {
    for (auto [threads, chunk] : ways())
      for (int64_t time = 0; time < times; ++time) {
        llvm::Expected<std::string> bytes =
            executable.logits(ids, threads, chunk);
        if (!bytes)
          return bytes.takeError();
        ++runs.count;
        int64_t at = firstDifference(*bytes, wanted);
        if (at < 0)
          continue;
        runs.difference =
            way(threads, "chunks of " + std::to_string(chunk) +
                             ", the logits of position " +
                             std::to_string(at / wanted.width) +
                             " are not those of the build with taps");
        return llvm::Error::success();
      }
    return llvm::Error::success();
  }

  /// Tokens that one thread gives without drafts.
  llvm::Error greedy() {
    // What is repeated is what drafts are made from.
    reference::Ids prompt = ids;
    if (int64_t(2 * ids.size()) < options.context)
      prompt.insert(prompt.end(), ids.begin(), ids.end());
    int64_t count = std::min<int64_t>(kGreedyTokens,
                                      options.context - int64_t(prompt.size()));
    std::optional<std::string> wanted;
    for (int64_t threads = 1; threads <= mostThreads() && count > 0; ++threads)
      for (const char *lookup : {"off", "always"})
        for (int64_t time = 0; time < times; ++time) {
          llvm::Expected<std::string> given = executable.tokens(
              prompt, count, threads,
              {"--temperature", "0", "--prompt-lookup", lookup});
          if (!given)
            return given.takeError();
          ++runs.count;
          if (!wanted)
            wanted = *given;
          if (*given == *wanted)
            continue;
          runs.difference =
              way(threads, "drafts `" + std::string(lookup) +
                               "`, greedy tokens differ from those of one "
                               "thread without");
          return llvm::Error::success();
        }
    return llvm::Error::success();
  }

private:
  const Executable &executable;
  const reference::Ids &ids;
  const RunOptions &options;
  int64_t times;

  /// One more than the machine has: then some thread always waits.
  static int64_t mostThreads() {
    return int64_t(std::max(
               1u, llvm::hardware_concurrency().compute_thread_count())) +
           1;
  }

  /// Threads and tokens of a chunk; 0 is the build's own.
  std::vector<std::pair<int64_t, int64_t>> ways() const {
    if (!options.thorough)
      return {{1, 1}, {mostThreads(), 0}};
    auto count = int64_t(ids.size());
    std::vector<std::pair<int64_t, int64_t>> all;
    for (int64_t threads = 1; threads <= mostThreads(); ++threads)
      for (int64_t chunk : {int64_t(1), int64_t(2), (count + 1) / 2, count})
        all.emplace_back(threads, std::min(chunk, options.prefillChunk));
    return all;
  }
};

/// Ways to choose a token that look at the largest logits alone.
std::vector<std::vector<std::string>> screenedChoices() {
  const std::vector<std::string> plain = {"--repetition-penalty", "1"};
  std::vector<std::vector<std::string>> choices = {
      {"--temperature", "0"},
      {"--temperature", "1", "--top-k", "8", "--top-p", "1", "--min-p", "0",
       "--seed", "1"}};
  for (std::vector<std::string> &choice : choices)
    choice.insert(choice.end(), plain.begin(), plain.end());
  choices.push_back({"--temperature", "0.7", "--top-k", "20", "--top-p", "0.8",
                     "--min-p", "0", "--seed", "2", "--repetition-penalty",
                     "1.1"});
  return choices;
}

} // namespace

llvm::Expected<Runs> compareRuns(const Executable &executable,
                                 const reference::Ids &ids,
                                 const reference::Rows &logits,
                                 const RunOptions &options) {
  Comparison comparison(executable, ids, options);
  if (llvm::Error error = comparison.logits(logits))
    return error;
  if (options.thorough && comparison.runs.difference.empty())
    if (llvm::Error error = comparison.greedy())
      return error;
  return comparison.runs;
}

llvm::Expected<Runs> compareScreened(const Executable &executable,
                                     const reference::Ids &ids,
                                     int64_t context) {
  Runs runs;
  const int64_t count =
      std::min(kScreenedTokens, context - int64_t(ids.size()));
  for (const std::vector<std::string> &sampling : screenedChoices()) {
    std::string wanted;
    for (int64_t threads : {0, 1, 3}) {
      if (count <= 1)
        break;
      std::vector<std::string> all = {"--prompt-lookup", "off"};
      all.insert(all.end(), sampling.begin(), sampling.end());
      if (threads == 0)
        all.push_back("--all-logits");
      llvm::Expected<std::string> given =
          executable.tokens(ids, count, std::max<int64_t>(threads, 1), all);
      if (!given)
        return given.takeError();
      if (threads == 0) {
        wanted = *given;
        continue;
      }
      ++runs.count;
      if (*given != wanted && runs.difference.empty())
        runs.difference = way(threads, "a screened head, tokens differ from a "
                                       "choice among all logits");
    }
  }
  return runs;
}

} // namespace qwen::verify
