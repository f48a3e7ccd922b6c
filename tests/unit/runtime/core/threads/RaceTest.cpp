// RaceTest.cpp - a region with a race: ThreadSanitizer must see it, so the test
// is disabled and run by name. unit_runtime_threads
// --gtest_also_run_disabled_tests --gtest_filter='Race.*'
#include "runtime/core/Team.h"

#include <cstdint>
#include <gtest/gtest.h>

namespace qwen {
namespace {

// Two chunks of one dispatch that write to one place, as an overlap would have
// it; only the barrier that the team makes at the end orders them.
TEST(Race, DISABLED_TwoThreadsWithoutABarrier) {
  auto team = Team::create(2);
  ASSERT_TRUE(team.ok());
  int64_t shared = 0;
  for (int i = 0; i < 100; ++i)
    (*team)->run(
        [](void *context, int64_t thread) {
          *static_cast<int64_t *>(context) += thread;
        },
        &shared);
  EXPECT_GE(shared, 0);
}

} // namespace
} // namespace qwen
