// TeamTest.cpp - run alone: unit_runtime_core --gtest_filter='Team*'
#include "runtime/core/Team.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

constexpr int64_t kBarriers = 10'000;

struct Round {
  Team *team;
  int64_t threads;
  std::vector<int64_t> at; // the barrier that each thread is at; plain memory,
                           // so that only barriers order it
  int64_t wrong[8] = {};
};

// Each thread writes its own cell, meets the others, and must then see what all
// of them wrote in this very round.
void meet(void *context, int64_t thread) {
  auto &round = *static_cast<Round *>(context);
  for (int64_t i = 1; i <= kBarriers; i += 2) {
    round.at[static_cast<size_t>(thread)] = i;
    Team::barrier(round.team, thread);
    for (int64_t other = 0; other < round.threads; ++other)
      round.wrong[thread] += round.at[static_cast<size_t>(other)] != i;
    Team::barrier(round.team, thread);
  }
}

class TeamThreads : public testing::TestWithParam<int64_t> {};

TEST_P(TeamThreads, EveryThreadSeesAllWritesBeforeABarrier) {
  auto team = Team::create(GetParam());
  ASSERT_TRUE(team.ok()) << team.status().text();
  Round round{team->get(), GetParam(),
              std::vector<int64_t>(static_cast<size_t>(GetParam()))};
  (*team)->run(meet, &round);
  for (int64_t thread = 0; thread < GetParam(); ++thread)
    EXPECT_EQ(round.wrong[thread], 0) << "thread " << thread;
}

TEST_P(TeamThreads, EveryRegionRunsOnceOnEveryThread) {
  auto team = Team::create(GetParam());
  ASSERT_TRUE(team.ok());
  std::vector<int64_t> runs(static_cast<size_t>(GetParam()));
  for (int i = 0; i < 2000; ++i)
    (*team)->run(
        [](void *context, int64_t thread) {
          ++(*static_cast<std::vector<int64_t> *>(
              context))[static_cast<size_t>(thread)];
        },
        &runs);
  EXPECT_EQ(runs, std::vector<int64_t>(static_cast<size_t>(GetParam()), 2000));
}

INSTANTIATE_TEST_SUITE_P(OneToEight, TeamThreads,
                         testing::Values(1, 2, 3, 4, 8));

TEST(Team, WorkersThatSleptWakeForTheNextRegion) {
  auto team = Team::create(2);
  ASSERT_TRUE(team.ok());
  std::atomic<int> runs = 0;
  for (int i = 0; i < 3; ++i) {
    timespec longerThanAnySpin = {0, 20'000'000};
    nanosleep(&longerThanAnySpin, nullptr);
    (*team)->run([](void *context,
                    int64_t) { ++*static_cast<std::atomic<int> *>(context); },
                 &runs);
  }
  EXPECT_EQ(runs, 6);
}

TEST(Team, RefusesNumbersOfThreadsOutsideItsRange) {
  EXPECT_EQ(Team::create(0).status().text(), "0 threads; a team has 1 to 1024");
  EXPECT_EQ(Team::create(1025).status().text(),
            "1025 threads; a team has 1 to 1024");
}

} // namespace
} // namespace qwen
