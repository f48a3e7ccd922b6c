// Team.cpp - spin briefly, then futex.
#include "runtime/core/Team.h"
#include "runtime/core/HostCpus.h"

#include <climits>
#include <csignal>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace qwen {
namespace {

// Longer than threads with equal shares of a kernel usually differ, shorter
// than a scheduler's slice: whoever waits longer waits for a thread that does
// not run.
constexpr int64_t kBarrierSpinNs = 50'000;
// About what the caller needs between two steps: sampling and writing one
// token.
constexpr int64_t kRegionSpinNs = 200'000;

int64_t nowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void pauseCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

} // namespace

Team::Team(int64_t threads, int64_t barrierSpinUs)
    : threads_(threads),
      spin_(threads <= static_cast<int64_t>(allowedCpus().size())),
      barrierSpinNs_(barrierSpinUs > 0 ? barrierSpinUs * 1000
                                       : kBarrierSpinNs) {}

Result<std::unique_ptr<Team>> Team::create(int64_t threads,
                                           int64_t barrierSpinUs) {
  if (threads < 1 || threads > kMaxThreads)
    return Status::invalid("%lld threads; a team has 1 to %lld",
                           static_cast<long long>(threads),
                           static_cast<long long>(kMaxThreads));
  std::unique_ptr<Team> team(new Team(threads, barrierSpinUs));
  team->workers_.reserve(static_cast<size_t>(threads - 1));
  // Workers take no signals: an interrupt reaches the thread that reads and
  // writes.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  for (int64_t thread = 1; thread < threads && error == 0; ++thread) {
    team->workers_.push_back({team.get(), thread, {}});
    error = pthread_create(&team->workers_.back().handle, nullptr, workerMain,
                           &team->workers_.back());
    if (error != 0)
      team->workers_.pop_back();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0)
    return Status::system(error, "cannot start %lld threads",
                          static_cast<long long>(threads));
  return team;
}

Team::~Team() {
  region_ = nullptr;
  change(epoch_, epoch_.value.load(std::memory_order_relaxed) + 1);
  for (Worker &worker : workers_)
    pthread_join(worker.handle, nullptr);
}

void *Team::workerMain(void *argument) {
  auto *worker = static_cast<Worker *>(argument);
  Team &team = *worker->team;
  for (uint32_t seen = 0;; ++seen) {
    team.await(team.epoch_, seen, kRegionSpinNs);
    if (!team.region_)
      return nullptr;
    team.region_(team.context_, worker->thread);
    team.arrive();
  }
}

void Team::run(Region region, void *context) {
  region_ = region;
  context_ = context;
  change(epoch_, epoch_.value.load(std::memory_order_relaxed) + 1);
  region(context, 0);
  arrive();
}

void Team::barrier(void *team, int64_t thread) {
  auto *self = static_cast<Team *>(team);
  if (thread == 0)
    ++self->barriers_;
  self->arrive();
}

void Team::arrive() {
  if (threads_ == 1)
    return;
  // Cannot change before this thread has arrived.
  uint32_t generation = generation_.value.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    change(generation_, generation + 1);
  } else {
    await(generation_, generation, barrierSpinNs_);
  }
}

void Team::change(Signal &signal, uint32_t value) {
  // Sequentially consistent on both sides: either this thread sees the sleeper,
  // or the kernel, which compares the value before it lets the sleeper sleep,
  // sees the change.
  signal.value.store(value, std::memory_order_seq_cst);
  if (signal.sleepers.load(std::memory_order_seq_cst) != 0)
    syscall(SYS_futex, &signal.value, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr,
            nullptr, 0);
}

void Team::await(Signal &signal, uint32_t old, int64_t spinNs) {
  constexpr int kSpinsPerClock = 64;
  if (spin_) {
    int64_t deadline = 0;
    do {
      for (int i = 0; i < kSpinsPerClock; ++i) {
        if (signal.value.load(std::memory_order_acquire) != old)
          return;
        pauseCpu();
      }
      int64_t now = nowNs();
      if (deadline == 0)
        deadline = now + spinNs;
      else if (now >= deadline)
        break;
    } while (true);
  }
  signal.sleepers.fetch_add(1, std::memory_order_seq_cst);
  while (signal.value.load(std::memory_order_seq_cst) == old)
    syscall(SYS_futex, &signal.value, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr,
            0);
  signal.sleepers.fetch_sub(1, std::memory_order_relaxed);
}

} // namespace qwen
