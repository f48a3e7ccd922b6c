// PromptLookupTest.cpp - run alone: unit_runtime_core
// --gtest_filter='PromptLookup*'
#include "runtime/core/PromptLookup.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

using When = PromptLookup::When;
using Ids = std::vector<int32_t>;

Ids proposed(PromptLookup &lookup, int64_t most = 100) {
  std::span<const int32_t> draft = lookup.propose(most);
  return {draft.begin(), draft.end()};
}

Ids after(const Ids &history, int64_t most = 100) {
  PromptLookup lookup(256, 64, When::kAlways);
  lookup.see(history);
  return proposed(lookup, most);
}

TEST(PromptLookup, NothingThatRepeatsGivesNoDraft) {
  EXPECT_EQ(after({}), Ids());
  EXPECT_EQ(after({1}), Ids());
  EXPECT_EQ(after({1, 2, 3, 4, 5}), Ids());
  EXPECT_EQ(after({1, 2, 3, 9, 3}), Ids()); // one token is too few
}

TEST(PromptLookup, GivesWhatFollowedTheSameTokens) {
  EXPECT_EQ(after({1, 2, 4, 5, 6, 7, 8, 9, 1, 2}, 2), (Ids{4, 5}));
  EXPECT_EQ(after({1, 2, 4, 5, 6, 7, 8, 9, 1, 2}, 4), (Ids{4, 5, 6}));
}

TEST(PromptLookup, ALongerEndingIsBetterThanALaterOne) {
  EXPECT_EQ(after({8, 1, 2, 3, 4, 4, 4, 7, 1, 2, 3, 5, 5, 5, 8, 1, 2, 3}, 3),
            (Ids{4, 4, 4}));
  EXPECT_EQ(after({7, 1, 2, 3, 4, 4, 4, 7, 1, 2, 3, 5, 5, 5, 7, 1, 2, 3}, 3),
            (Ids{5, 5, 5}));
}

TEST(PromptLookup, ADraftMayRunIntoItself) {
  EXPECT_EQ(after({1, 2, 1, 2, 1}, 5), (Ids{2, 1, 2}));
}

TEST(PromptLookup, DraftsGrowWhileTheyAreRight) {
  PromptLookup lookup(256, 64, When::kAlways);
  lookup.see(Ids(20, 5));
  EXPECT_EQ(proposed(lookup).size(), 3u);
  lookup.verified(3, 3, 1);
  EXPECT_EQ(proposed(lookup).size(), 7u);
  lookup.verified(7, 7, 1);
  EXPECT_EQ(proposed(lookup).size(), 15u);
  lookup.verified(15, 15, 1);
  EXPECT_EQ(proposed(lookup).size(), 31u);
  lookup.verified(31, 31, 1);
  EXPECT_EQ(proposed(lookup).size(), 31u);
  lookup.verified(31, 4, 1);
  EXPECT_EQ(proposed(lookup).size(), 3u);
  EXPECT_EQ(lookup.steps(), 5);
  EXPECT_EQ(lookup.drafted(), 87);
  EXPECT_EQ(lookup.accepted(), 60);
}

TEST(PromptLookup, NoLongerThanAStepsLogits) {
  PromptLookup lookup(256, 3, When::kAlways);
  lookup.see(Ids(20, 5));
  EXPECT_EQ(proposed(lookup), Ids(2, 5));
  lookup.verified(2, 2, 1);
  EXPECT_EQ(proposed(lookup), Ids(2, 5));
  EXPECT_EQ(proposed(lookup, 1), Ids(1, 5));
  EXPECT_EQ(proposed(lookup, 0), Ids());
}

TEST(PromptLookup, NeverIsNever) {
  PromptLookup lookup(256, 64, When::kNever);
  lookup.see(Ids(20, 5));
  lookup.decoded(1);
  EXPECT_EQ(proposed(lookup), Ids());
}

// A step over drafts takes as long as three over one token, and all are wrong.
TEST(PromptLookup, WrongDraftsCostAFortiethAndTheFirstTwo) {
  PromptLookup lookup(256, 64, When::kWhileItPays);
  lookup.see(Ids(20, 5));
  EXPECT_EQ(proposed(lookup), Ids()); // nothing to compare with yet
  double seconds = 0;
  int64_t tokens = 0;
  for (; tokens < 4000; ++tokens) {
    if (Ids draft = proposed(lookup); draft.empty()) {
      lookup.decoded(1);
      seconds += 1;
    } else {
      lookup.verified(static_cast<int64_t>(draft.size()), 0, 3);
      seconds += 3;
    }
  }
  EXPECT_GT(lookup.drafted(), 7); // it tries again now and then
  EXPECT_LE(seconds, static_cast<double>(tokens) * (1 + 1.0 / 40) + 4);
}

TEST(PromptLookup, WhatWasSavedIsNotAllLostAgain) {
  PromptLookup lookup(256, 64, When::kWhileItPays);
  lookup.see(Ids(20, 5));
  lookup.decoded(1);
  for (int i = 0; i < 100; ++i)
    lookup.verified(7, 7, 3);
  int64_t wrong = 0;
  for (; !proposed(lookup).empty(); ++wrong)
    lookup.verified(7, 0, 3);
  EXPECT_GE(wrong, 1);
  EXPECT_LE(wrong, 4);
}

} // namespace
} // namespace qwen
