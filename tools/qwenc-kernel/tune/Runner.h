// Runner.h - checks and times compiled candidates of one kernel in a child
// process: a crash, a hang or a wrong result loses the candidate alone.
#pragma once

#include "tools/qwenc-kernel/Timing.h"

#include <memory>
#include <string>
#include <vector>

namespace qwen {

struct Workload {
  std::vector<int64_t> threads; // team sizes that a time is the mean of
  int64_t tokens = 128;         // in flight, of a t0 kernel
  int64_t position = 512;       // first, where there is a cache
  double sampleSeconds = 4e-3;  // of one timing
  double limitSeconds = 20;     // of one check or timing
};

struct Candidate {
  KernelSymbol symbol;
  void *function = nullptr;
};

struct Outcome {
  bool failed = false;
  std::string reason;         // of a failure
  std::vector<double> ratios; // to the first candidate, one a rotation
  double ratio() const;       // their median; infinite when failed
};

class Runner {
public:
  /// Makes the arguments and the reference's answer once, for every child.
  Runner(const KernelSymbol &symbol, const Workload &workload);

  /// Times the candidates in rotation, the first of them being what the others
  /// are compared with; stops early when `stop` becomes true. Candidates that
  /// passed the check once are in `checked` and are not checked again.
  std::vector<Outcome> run(const std::vector<Candidate> &candidates,
                           int64_t rotations, const volatile int &stop);

  /// Microseconds of one call of the first candidate in the last run.
  double baseMicroseconds() const { return baseSeconds * 1e6; }
  /// Weights of a call; caches are not counted, since timed calls find them
  /// in a cache.
  int64_t callBytes() const { return timed.front()->inputBytes(); }
  int64_t callProducts() const;

private:
  const Workload workload;
  int64_t checkTokens, timedTokens, checkPosition, timedPosition;
  std::unique_ptr<codegen::Trial> expected; // with the reference's answers
  // One a thread: threads that write one output would wait for each other.
  std::vector<std::unique_ptr<codegen::Trial>> timed;
  std::unique_ptr<InputCopies> inputs;
  // For each thread one a copy of the inputs.
  std::vector<std::vector<codegen::PreparedCall>> calls;
  std::vector<std::string> checked; // symbols
  double baseSeconds = 0;

  struct Record;
  [[noreturn]] void child(const std::vector<Candidate> &candidates,
                          const std::vector<size_t> &alive, int64_t rotations,
                          int pipe) const;
  double sample(void *function, int64_t count, int64_t threads,
                int64_t &cursor) const;
};

} // namespace qwen
