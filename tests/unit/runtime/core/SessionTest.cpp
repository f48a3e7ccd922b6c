// SessionTest.cpp - run alone: unit_runtime_core --gtest_filter='Session*'
#include "runtime/core/Session.h"
#include "runtime/core/Cancellation.h"
#include "tests/unit/runtime/core/MappingFlags.h"
#include "tests/unit/runtime/core/ToyModel.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

namespace qwen {
namespace {

std::vector<int32_t> someIds(int64_t count) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * i * 7 + 3) % toy::kVocab));
  return ids;
}

std::span<const int32_t> firstOf(const std::vector<int32_t> &ids,
                                 size_t count) {
  return {ids.data(), count};
}

struct Opened {
  std::vector<uint8_t> tensors = toy::tensorSection();
  std::unique_ptr<Team> team;
  std::unique_ptr<Session> session;

  Opened(int64_t threads, int64_t chunk) {
    team = std::move(*Team::create(threads));
    auto made = Session::create(qwen_model_plan, tensors.data(), *team,
                                {.prefillChunk = chunk, .poison = true});
    if (made.ok())
      session = std::move(*made);
  }

  std::vector<float> logits() const {
    return {session->logits(), session->logits() + toy::kVocab};
  }
};

class SessionChunks : public testing::TestWithParam<int64_t> {};

TEST_P(SessionChunks, PrefillOfEveryLengthGivesTheLastTokensLogits) {
  for (int64_t length = 1; length <= 3 * toy::kChunk + 1; ++length) {
    Opened opened(2, GetParam());
    std::vector<int32_t> ids = someIds(length);
    ASSERT_TRUE(opened.session->prefill(ids).ok());
    EXPECT_EQ(opened.logits(), toy::expectedLogits(ids)) << length << " tokens";
    EXPECT_EQ(opened.session->position(), length);
    EXPECT_EQ(opened.session->greedyToken(), (ids.back() + 1) % toy::kVocab);
  }
}

TEST_P(SessionChunks, AllLogitsAreThoseOfEachPrefix) {
  for (int64_t length : {1, 4, 5, 8, 9, 23}) {
    Opened opened(3, GetParam());
    std::vector<int32_t> ids = someIds(length);
    std::vector<int> seen(ids.size());
    ASSERT_TRUE(
        opened.session
            ->prefillAllLogits(
                ids,
                [&](int64_t index, const float *logits) -> Status {
                  auto prefix = firstOf(ids, static_cast<size_t>(index) + 1);
                  EXPECT_EQ(std::vector<float>(logits, logits + toy::kVocab),
                            toy::expectedLogits(prefix))
                      << "position " << index << " of " << length;
                  ++seen[static_cast<size_t>(index)];
                  return {};
                })
            .ok());
    EXPECT_EQ(seen, std::vector<int>(ids.size(), 1));
    EXPECT_EQ(opened.session->ids(), ids);
  }
}

// 0 is the default; 8 is larger than the logits buffer.
INSTANTIATE_TEST_SUITE_P(Chunks, SessionChunks,
                         testing::Values(0, 1, 3, 4, 7, 8));

TEST(Session, DecodeContinuesAPrefill) {
  Opened opened(2, 0);
  std::vector<int32_t> ids = someIds(40);
  ASSERT_TRUE(opened.session->prefill(firstOf(ids, 10)).ok());
  for (size_t i = 10; i < ids.size(); ++i) {
    ASSERT_TRUE(opened.session->decode(ids[i]).ok());
    EXPECT_EQ(opened.logits(), toy::expectedLogits(firstOf(ids, i + 1)));
  }
}

TEST(Session, ReuseKeepsTheCommonPrefixButNeverTheLastToken) {
  Opened opened(1, 0);
  std::vector<int32_t> ids = {5, 6, 7, 8};
  ASSERT_TRUE(opened.session->prefill(ids).ok());
  EXPECT_EQ(opened.session->reuse(std::vector<int32_t>{5, 6, 9, 8}), 2);
  ASSERT_TRUE(opened.session->prefill(std::vector<int32_t>{9, 8}).ok());
  EXPECT_EQ(opened.logits(),
            toy::expectedLogits(std::vector<int32_t>{5, 6, 9, 8}));
  EXPECT_EQ(opened.session->reuse(std::vector<int32_t>{5, 6, 9, 8}), 3);
  EXPECT_EQ(opened.session->reuse({}), 0);
}

TEST(Session, RefusesWhatDoesNotFitAndLeavesTheCacheAlone) {
  Opened opened(1, 0);
  EXPECT_EQ(opened.session->prefill(someIds(toy::kContext + 1)).text(),
            "301 tokens do not fit the context of 300");
  EXPECT_EQ(opened.session->prefill({}).text(),
            "the prompt is empty; at least one token is needed");
  EXPECT_EQ(opened.session->prefill(std::vector<int32_t>{1, 300}).text(),
            "token id 300 at position 1 is not in 0 to 299");
  EXPECT_EQ(opened.session->prefill(std::vector<int32_t>{-1}).text(),
            "token id -1 at position 0 is not in 0 to 299");
  EXPECT_EQ(opened.session->position(), 0);
  ASSERT_TRUE(opened.session->prefill(someIds(toy::kContext)).ok());
  EXPECT_EQ(opened.session->decode(1).text(),
            "1 more tokens after 300 make 301; the context holds 300");
}

TEST(Session, RefusesChunksThatThePlanHasNoRoomFor) {
  auto team = Team::create(1);
  auto made =
      Session::create(qwen_model_plan, nullptr, **team, {.prefillChunk = 9});
  EXPECT_EQ(made.status().text(),
            "a prefill chunk of 9 tokens; this executable takes 1 to 8");
}

TEST(Session, StopsBetweenChunksWhenCancelled) {
  Opened opened(1, 0);
  requestCancellation();
  Status status = opened.session->prefill(someIds(20));
  clearCancellation();
  EXPECT_EQ(status.code(), Code::kCancelled);
  EXPECT_EQ(status.exitCode(), 130);
  EXPECT_EQ(opened.session->position(), 0);
}

TEST(Session, ACacheHasHugePagesOnceAnEighthOfTheContextIsInUse) {
  if (!systemHasHugePages())
    GTEST_SKIP() << "this system has no huge pages";
  std::vector<uint8_t> tensors = toy::tensorSection();
  auto team = std::move(*Team::create(2));
  qwen_plan plan = qwen_model_plan;
  const auto open = [&] {
    return std::move(*Session::create(plan, tensors.data(), *team, {}));
  };
  const int64_t enough = plan.context / 8;
  const std::vector<int32_t> ids = someIds(enough);
  const auto prefilled = [&](Session &session, int64_t count) {
    EXPECT_TRUE(session.prefill(firstOf(ids, size_t(count))).ok());
    return prefersHugePages(session.memory().cache);
  };
  // That of the toy model is smaller than one.
  ASSERT_LT(plan.cache_bytes, kHugePageBytes);
  EXPECT_FALSE(prefilled(*open(), enough));

  plan.cache_bytes = kHugePageBytes;
  EXPECT_TRUE(prefilled(*open(), enough));
  auto session = open();
  EXPECT_FALSE(prefilled(*session, enough - 1));
  ASSERT_TRUE(session->decode(ids.back()).ok());
  EXPECT_TRUE(prefersHugePages(session->memory().cache));
  const std::vector<float> logits(session->logits(),
                                  session->logits() + toy::kVocab);
  EXPECT_EQ(logits, toy::expectedLogits(ids));
}

TEST(Session, PoisonIsNaNInEveryFormat) {
  auto pages = Pages::allocate(64, "a test");
  ASSERT_TRUE(pages.ok());
  EXPECT_EQ(pages->data()[63], 0);
  pages->poison();
  float value;
  memcpy(&value, pages->data() + 60, sizeof(value));
  EXPECT_TRUE(std::isnan(value));
}

} // namespace
} // namespace qwen
