// Team.h - a fixed team of threads that run one region together and meet at
// barriers.
#ifndef QWEN_RUNTIME_CORE_TEAM_H
#define QWEN_RUNTIME_CORE_TEAM_H

#include "runtime/core/Status.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <pthread.h>
#include <vector>

namespace qwen {

constexpr int64_t kMaxThreads = 1024;

/// Every thread of the team runs the same region; thread 0 is the caller.
/// Between regions and at barriers a thread spins for a short while, then
/// sleeps in the kernel; a team larger than the CPUs allowed does not spin at
/// all.
class Team {
public:
  using Region = void (*)(void *context, int64_t thread);

  /// `threads` in 1..kMaxThreads; kSystem if the system gives fewer. At a
  /// barrier they spin for `barrierSpinUs`; 0: for the default.
  static Result<std::unique_ptr<Team>> create(int64_t threads,
                                              int64_t barrierSpinUs = 0);
  ~Team();
  Team(const Team &) = delete;

  int64_t threads() const { return threads_; }

  /// Runs `region(context, thread)` on every thread of the team; returns when
  /// all have finished.
  void run(Region region, void *context);

  /// Returns when every thread of the team has arrived; what any of them wrote
  /// before is visible to all. To be called inside a region, by all threads
  /// equally often. `thread` is the caller's; `team` is a Team.
  static void barrier(void *team, int64_t thread);

  /// How often regions called `barrier` so far; to be read between regions.
  int64_t barriers() const { return barriers_; }

private:
  // A word that changes, and how many threads sleep until it does; alone on its
  // cache line.
  struct alignas(64) Signal {
    std::atomic<uint32_t> value{0};
    std::atomic<uint32_t> sleepers{0};
  };

  Team(int64_t threads, int64_t barrierSpinUs);
  static void *workerMain(void *worker);
  void arrive();
  void await(Signal &signal, uint32_t old, int64_t spinNs);
  static void change(Signal &signal, uint32_t value);

  struct Worker {
    Team *team;
    int64_t thread;
    pthread_t handle;
  };

  int64_t threads_;
  bool spin_;
  int64_t barrierSpinNs_;
  int64_t barriers_ = 0; // thread 0 counts
  std::vector<Worker> workers_;
  Region region_ = nullptr; // nullptr: the workers end
  void *context_ = nullptr;
  Signal epoch_;      // one more for every region
  Signal generation_; // one more for every barrier passed
  alignas(64) std::atomic<int64_t> arrived_{0};
};

} // namespace qwen

#endif
