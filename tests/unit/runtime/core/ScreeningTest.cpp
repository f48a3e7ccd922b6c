// ScreeningTest.cpp - run alone: unit_runtime_core --gtest_filter='Screening*'
#include "runtime/core/Screening.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

const Depth kExpected = {20, 4};

/// So many of the next steps are screened; each saves a tenth or costs as much.
int64_t screenedOf(Screening &screening, int64_t steps, bool saves,
                   bool settles = true) {
  int64_t count = 0;
  for (int64_t i = 0; i < steps; ++i)
    if (screening.next()) {
      ++count;
      screening.read(1, 10, saves ? 80 : 100, 100);
      screening.settled(settles);
    }
  return count;
}

TEST(Screening, GoesOnWhileItSaves) {
  Screening screening;
  EXPECT_EQ(screenedOf(screening, 1000, true), 1000);
  EXPECT_EQ(screening.steps(), 1000);
  EXPECT_EQ(screening.missed(), 0);
  EXPECT_EQ(screening.rows(), 1000);
}

TEST(Screening, StopsWhereItDoesNotPay) {
  Screening costly;
  EXPECT_LT(screenedOf(costly, 10000, false), 300);
  // What is done twice may cost no more than a fiftieth of the time.
  Screening vain;
  EXPECT_LT(screenedOf(vain, 10000, true, /*settles=*/false), 200);
  EXPECT_EQ(vain.missed(), vain.steps());
  Screening stopped;
  stopped.stop();
  EXPECT_EQ(screenedOf(stopped, 100, true), 0);
}

TEST(Screening, ComesBackAndForgetsWhatWasCostly) {
  Screening screening;
  screenedOf(screening, 10000, false);
  const int64_t before = screening.steps();
  screenedOf(screening, 2000, true);
  EXPECT_GT(screening.steps(), before + 900);
  // The next pause is a short one again.
  EXPECT_GT(screenedOf(screening, 400, false), 30);
}

TEST(Screening, ChoicesThatWereNotSettledDeepenTheFloor) {
  Screening screening;
  EXPECT_EQ(screening.depth(kExpected), kExpected);
  screening.settled(false);
  const Depth deeper = screening.depth(kExpected);
  EXPECT_GT(deeper.rank, kExpected.rank);
  EXPECT_GT(deeper.margin, kExpected.margin);
  // Rows that cost nothing take nothing back, others what they cost.
  screening.read(0, 1, 0, 100);
  screening.settled(true);
  EXPECT_EQ(screening.depth(kExpected), deeper);
  screening.read(10, 1, 0, 100);
  screening.settled(true);
  EXPECT_LT(screening.depth(kExpected).margin, deeper.margin);
  EXPECT_GT(screening.depth(kExpected).margin, deeper.margin - 0.1);
  for (int i = 0; i < 10000; ++i)
    screening.settled(true);
  const Depth least = screening.depth(kExpected);
  EXPECT_EQ(least.rank, 1);
  EXPECT_EQ(least.margin, 0);
  for (int i = 0; i < 10000; ++i)
    screening.settled(false);
  EXPECT_EQ(screening.depth(kExpected).rank, Screening::kMostRank);
  EXPECT_EQ(screening.depth(kExpected).margin, Screening::kMostMargin);
  // Another way to choose starts anew.
  EXPECT_EQ(screening.depth({5, 1}), (Depth{5, 1}));
}

} // namespace
} // namespace qwen
