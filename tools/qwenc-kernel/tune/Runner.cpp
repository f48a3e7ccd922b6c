// Runner.cpp - the child's loop and the parent's patience.
#include "tools/qwenc-kernel/tune/Runner.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qwen {
namespace {

using codegen::Trial;

constexpr uint64_t kSeed = 20240607;
constexpr int64_t kCopiesBytes = 64 << 20; // beyond the caches of a core
constexpr int64_t kCheckTokens = 17;       // no multiple of any tile

/// Keeps the calling thread on the index-th CPU it may use, counted from the
/// last: the first serves interrupts more often.
void pin(int64_t index) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
    return;
  int64_t count = CPU_COUNT(&allowed) - 1 - index % CPU_COUNT(&allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed) && count-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      sched_setaffinity(0, sizeof(one), &one);
      return;
    }
}

} // namespace

/// What the child tells: one write each, smaller than a pipe's atomic size.
struct Runner::Record {
  enum Kind : int32_t { Begin, Passed, Wrong, Timed, Base } kind;
  int32_t index;
  double value;
  char text[160];
};

double Outcome::ratio() const {
  return failed || ratios.empty() ? std::numeric_limits<double>::infinity()
                                  : median(ratios);
}

Runner::Runner(const KernelSymbol &symbol, const Workload &workload)
    : workload(workload) {
  const bool one = symbol.dim("t") == 1;
  const int64_t room = symbol.dim("s") > 0
                           ? symbol.dim("s")
                           : std::numeric_limits<int64_t>::max() / 2;
  checkTokens = one ? 1 : std::min(kCheckTokens, room);
  timedTokens = one ? 1 : std::min(workload.tokens, room);
  // Neither a block's first position nor its last.
  checkPosition =
      symbol.dim("s") > 0 ? std::min<int64_t>(70, room - checkTokens) : 0;
  timedPosition =
      symbol.dim("s") > 0 ? std::min(workload.position, room - timedTokens) : 0;
  expected = std::make_unique<Trial>(symbol, checkTokens, checkPosition, kSeed);
  expected->computeReference();
  const int64_t most =
      *std::max_element(workload.threads.begin(), workload.threads.end());
  for (int64_t thread = 0; thread < most; ++thread)
    timed.push_back(
        std::make_unique<Trial>(symbol, timedTokens, timedPosition, kSeed));
  inputs = std::make_unique<InputCopies>(*timed.front(), kCopiesBytes);
  for (const std::unique_ptr<Trial> &trial : timed) {
    calls.emplace_back();
    for (int64_t copy = 0; copy < inputs->count; ++copy) {
      std::vector<uint8_t *> hosts = trial->hosts();
      if (inputs->chunkBytes)
        inputs->place(copy, hosts);
      calls.back().push_back(trial->prepare(hosts));
    }
  }
}

int64_t Runner::callProducts() const {
  return timed.front()->kernel.products
             ? timed.front()->kernel.products(*timed.front())
             : 0;
}

double Runner::sample(void *function, int64_t count, int64_t threads,
                      int64_t &cursor) const {
  // Every thread has its own inputs ahead, so that none finds them in a cache.
  const int64_t start = cursor;
  cursor += count * threads;
  std::atomic<int64_t> ready{0};
  std::vector<double> times(static_cast<size_t>(threads), 0.0);
  const auto work = [&](int64_t thread) {
    pin(thread);
    ready.fetch_add(1);
    while (ready.load() < threads) {
    }
    const double from = seconds(threads == 1);
    for (int64_t i = 0; i < count; ++i)
      calls[size_t(thread)]
           [size_t((start + thread * count + i) % inputs->count)]
               .run(function);
    times[size_t(thread)] = seconds(threads == 1) - from;
  };
  std::vector<std::thread> others;
  for (int64_t thread = 1; thread < threads; ++thread)
    others.emplace_back(work, thread);
  work(0);
  for (std::thread &thread : others)
    thread.join();
  return *std::max_element(times.begin(), times.end()) / double(count);
}

void Runner::child(const std::vector<Candidate> &candidates,
                   const std::vector<size_t> &alive, int64_t rotations,
                   int pipe) const {
  const auto tell = [&](Record::Kind kind, size_t index, double value,
                        const std::string &text = "") {
    Record record{kind, int32_t(index), value, {}};
    std::strncpy(record.text, text.c_str(), sizeof(record.text) - 1);
    if (write(pipe, &record, sizeof(record)) != ssize_t(sizeof(record)))
      _exit(1);
  };
  pin(0);
  std::vector<size_t> good;
  for (const size_t index : alive) {
    tell(Record::Begin, index, 0);
    const Candidate &candidate = candidates[index];
    const std::string name = candidate.symbol.str();
    if (std::find(checked.begin(), checked.end(), name) == checked.end()) {
      // Outputs that nobody has written yet.
      Trial trial(candidate.symbol, checkTokens, checkPosition, kSeed);
      trial.call(candidate.function);
      if (expected->referenceFollowsResults())
        trial.computeReference();
      else
        trial.adoptReference(*expected);
      const Trial::Verdict verdict = trial.judge();
      if (!verdict.within) {
        tell(Record::Wrong, index, 0, verdict.text);
        continue;
      }
    }
    tell(Record::Passed, index, 0);
    good.push_back(index);
  }
  if (good.empty())
    _exit(0);

  // As many calls as the first candidate makes in one sample's time.
  std::vector<int64_t> counts;
  std::vector<int64_t> cursors(workload.threads.size(), 0);
  for (size_t team = 0; team < workload.threads.size(); ++team) {
    tell(Record::Begin, good.front(), 0);
    int64_t count = 1;
    for (double taken = 0; count < (1 << 20); count *= 2) {
      taken = double(count) * sample(candidates[good.front()].function, count,
                                     workload.threads[team], cursors[team]);
      if (taken * 2 > workload.sampleSeconds)
        break;
    }
    counts.push_back(count);
  }
  for (int64_t rotation = 0; rotation < rotations; ++rotation) {
    // Each rotation starts elsewhere, so that no candidate always follows the
    // same one.
    std::vector<double> logs(candidates.size(), 0);
    for (size_t team = 0; team < counts.size(); ++team)
      for (size_t i = 0; i < good.size(); ++i) {
        const size_t index = good[(i + size_t(rotation)) % good.size()];
        tell(Record::Begin, index, 0);
        const double time = sample(candidates[index].function, counts[team],
                                   workload.threads[team], cursors[team]);
        if (team == 0 && index == good.front())
          tell(Record::Base, index, time);
        logs[index] += std::log(time) / double(counts.size());
      }
    for (const size_t index : good)
      tell(Record::Timed, index, std::exp(logs[index] - logs[good.front()]));
  }
  _exit(0);
}

std::vector<Outcome> Runner::run(const std::vector<Candidate> &candidates,
                                 int64_t rotations, const volatile int &stop) {
  std::vector<Outcome> outcomes(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i)
    if (!candidates[i].function) {
      outcomes[i].failed = true;
      outcomes[i].reason = "did not compile";
    }
  // Each turn of this loop finishes or loses at least one candidate.
  for (bool again = true; again && !stop;) {
    again = false;
    std::vector<size_t> alive;
    for (size_t i = 0; i < candidates.size(); ++i) {
      outcomes[i].ratios.clear();
      if (!outcomes[i].failed)
        alive.push_back(i);
    }
    int ends[2];
    if (alive.empty() || outcomes.front().failed || pipe2(ends, O_CLOEXEC) != 0)
      break;
    const pid_t pid = fork();
    if (pid == 0) {
      close(ends[0]);
      child(candidates, alive, rotations, ends[1]);
    }
    close(ends[1]);
    std::vector<double> bases;
    size_t current = alive.front();
    std::string reason;
    for (;;) {
      pollfd wait{ends[0], POLLIN, 0};
      const int polled =
          pid < 0 ? -1 : poll(&wait, 1, int(workload.limitSeconds * 1000));
      if (polled < 0 && errno == EINTR && !stop)
        continue;
      if (polled <= 0 || stop) {
        reason = "took longer than " +
                 std::to_string(int(workload.limitSeconds)) + " s";
        if (pid > 0)
          kill(pid, SIGKILL);
        break;
      }
      Record record;
      if (read(ends[0], &record, sizeof(record)) != ssize_t(sizeof(record)))
        break;
      current = size_t(record.index);
      if (record.kind == Record::Wrong) {
        outcomes[current].failed = true;
        outcomes[current].reason = std::string("is wrong: ") + record.text;
      } else if (record.kind == Record::Passed) {
        checked.push_back(candidates[current].symbol.str());
      } else if (record.kind == Record::Base) {
        bases.push_back(record.value);
      } else if (record.kind == Record::Timed) {
        outcomes[current].ratios.push_back(record.value);
      }
    }
    close(ends[0]);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!bases.empty())
      baseSeconds = median(bases);
    if (stop || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
      break;
    outcomes[current].failed = true;
    outcomes[current].reason =
        !reason.empty()
            ? reason
            : "crashed with signal " +
                  std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    again = true;
  }
  return outcomes;
}

} // namespace qwen
