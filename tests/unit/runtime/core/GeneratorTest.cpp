// GeneratorTest.cpp - run alone: unit_runtime_core --gtest_filter='Generator*'
#include "runtime/core/Generator.h"
#include "runtime/core/Cancellation.h"
#include "tests/unit/runtime/core/ToyModel.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

class Generator : public testing::Test {
protected:
  std::vector<uint8_t> tensors = toy::tensorSection();
  std::unique_ptr<Team> team = std::move(*Team::create(2));
  std::unique_ptr<Session> session = std::move(*Session::create(
      qwen_model_plan, tensors.data(), *team, {.poison = true}));
  Sampler sampler{{}, toy::kVocab};
  PromptLookup none{toy::kContext, toy::kLogitsRows,
                    PromptLookup::When::kNever};
  std::vector<int32_t> out;

  Result<Ending> go(Session &session, const std::vector<int32_t> &ids,
                    int64_t tokens, const StopTokens &stops,
                    PromptLookup &lookup) {
    out.clear();
    return generate(
        session, sampler, stops, ids, tokens,
        [&](int32_t id) -> Status {
          out.push_back(id);
          return {};
        },
        lookup);
  }
  Result<Ending> go(const std::vector<int32_t> &ids, int64_t tokens,
                    const StopTokens &stops = {}) {
    return go(*session, ids, tokens, stops, none);
  }
};

TEST_F(Generator, CountsUpToTheLimit) {
  EXPECT_EQ(*go({7}, 4), Ending::kLimit);
  EXPECT_EQ(out, (std::vector<int32_t>{8, 9, 10, 11}));
  EXPECT_EQ(session->position(), 4); // the prompt and all but the last token
}

TEST_F(Generator, NoTokensAskedForGivesNone) {
  EXPECT_EQ(*go({7}, 0), Ending::kLimit);
  EXPECT_TRUE(out.empty());
}

TEST_F(Generator, EndsWithTheStopToken) {
  EXPECT_EQ(*go({7}, -1, StopTokens({3, 10})), Ending::kStopToken);
  EXPECT_EQ(out, (std::vector<int32_t>{8, 9, 10}));
}

TEST_F(Generator, FillsTheContextAndOneMore) {
  EXPECT_EQ(*go({7}, -1), Ending::kContextFull);
  EXPECT_EQ(static_cast<int64_t>(out.size()), toy::kContext);
  EXPECT_EQ(session->position(), toy::kContext);
}

TEST_F(Generator, ASecondTurnComputesOnlyWhatIsNew) {
  ASSERT_TRUE(go({7}, 3).ok());
  EXPECT_EQ(*go({7, 8, 9, 10, 50}, 1), Ending::kLimit);
  EXPECT_EQ(out, std::vector<int32_t>{51});
  EXPECT_EQ(session->ids(), (std::vector<int32_t>{7, 8, 9, 10, 50}));
  EXPECT_EQ(
      std::vector<float>(session->logits(), session->logits() + toy::kVocab),
      toy::expectedLogits(session->ids()));
}

// Whatever is drafted, and however tokens are picked, they are the same.
TEST_F(Generator, DraftsChangeNoToken) {
  const std::vector<int32_t> prompt = {20, 21, 22, 23, 24, 25, 60,
                                       61, 20, 21, 22, 23, 70};
  const SamplerOptions ways[] = {
      {}, {.temperature = 0.3, .topK = 3, .seed = 5}, {.repetitionPenalty = 3}};
  for (const SamplerOptions &way : ways)
    for (int64_t tokens : {1, 2, 9, 30, -1}) {
      sampler = Sampler(way, toy::kVocab);
      Result<Ending> alone = go(prompt, tokens);
      const std::vector<int32_t> expected = out, cached = session->ids();
      session->truncate(0);
      sampler = Sampler(way, toy::kVocab);
      PromptLookup lookup(toy::kContext, toy::kLogitsRows,
                          PromptLookup::When::kAlways);
      Result<Ending> drafted = go(*session, prompt, tokens, {}, lookup);
      EXPECT_EQ(*drafted, *alone);
      EXPECT_EQ(out, expected);
      EXPECT_EQ(session->ids(), cached);
      EXPECT_EQ(lookup.steps() + lookup.accepted(),
                static_cast<int64_t>(out.size()) - 1);
    }
}

// The tokens of a screened head are those of all logits, with drafts and
// without, though choices among many are not all settled by part of them.
TEST_F(Generator, AScreenedHeadChangesNoToken) {
  const std::vector<int32_t> prompt = {20, 21, 22, 23, 24, 25, 60, 61, 20, 21};
  const SamplerOptions ways[] = {
      {},
      {.repetitionPenalty = 1.5},
      {.repetitionPenalty = 0.5},
      {.temperature = 1, .topK = 1},
      {.temperature = 1, .topK = 3},
      {.temperature = 0.7, .topK = 20, .topP = 0.8, .repetitionPenalty = 1.1},
      {.temperature = 0.2, .topK = 50, .topP = 0.95},
      {.temperature = 0.3, .minP = 0.2},
      {.temperature = 0.1, .topK = toy::kVocab},
      {.temperature = 1, .topP = 0.5}};
  std::unique_ptr<Session> screened = std::move(*Session::create(
      toy::screenedPlan(), tensors.data(), *team, {.poison = true}));
  for (SamplerOptions way : ways)
    for (uint64_t seed : {1, 2, 3}) {
      way.seed = seed;
      sampler = Sampler(way, toy::kVocab);
      sampler.forbid(30);
      session->truncate(0);
      ASSERT_TRUE(go(prompt, 200).ok());
      const std::vector<int32_t> expected = out;
      for (PromptLookup::When when :
           {PromptLookup::When::kNever, PromptLookup::When::kAlways}) {
        PromptLookup lookup(toy::kContext, toy::kLogitsRows, when);
        sampler = Sampler(way, toy::kVocab);
        sampler.forbid(30);
        screened->truncate(0);
        ASSERT_TRUE(go(*screened, prompt, 200, {}, lookup).ok());
        EXPECT_EQ(out, expected)
            << "top-k " << way.topK << ", temperature " << way.temperature;
      }
    }
  EXPECT_GT(screened->screening().missed(), 5);
  EXPECT_GT(screened->screening().steps(), 10 * screened->screening().missed());
}

TEST_F(Generator, DraftsThatAreRightSaveSteps) {
  std::vector<int32_t> prompt;
  for (int32_t id = 20; id < 40; ++id)
    prompt.push_back(id);
  prompt.insert(prompt.end(), {20, 21, 22});
  PromptLookup lookup(toy::kContext, toy::kLogitsRows,
                      PromptLookup::When::kAlways);
  ASSERT_TRUE(go(*session, prompt, 12, {}, lookup).ok());
  EXPECT_EQ(out, (std::vector<int32_t>{23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
                                       33, 34}));
  EXPECT_EQ(lookup.accepted(), lookup.drafted());
  EXPECT_LT(lookup.steps(), 6);
}

TEST_F(Generator, AStopTokenAmongDraftsEndsIt) {
  PromptLookup lookup(toy::kContext, toy::kLogitsRows,
                      PromptLookup::When::kAlways);
  EXPECT_EQ(*go(*session, {10, 11, 12, 13, 14, 15, 16, 10, 11}, -1,
                StopTokens({14}), lookup),
            Ending::kStopToken);
  EXPECT_EQ(out, (std::vector<int32_t>{12, 13, 14}));
  EXPECT_EQ(session->ids(),
            (std::vector<int32_t>{10, 11, 12, 13, 14, 15, 16, 10, 11, 12, 13}));
}

TEST_F(Generator, CancellationKeepsWhatIsThere) {
  auto ending = generate(
      *session, sampler, {}, std::vector<int32_t>{7}, -1,
      [&](int32_t id) -> Status {
        out.push_back(id);
        if (out.size() == 3)
          requestCancellation();
        return {};
      },
      none);
  clearCancellation();
  EXPECT_EQ(*ending, Ending::kCancelled);
  EXPECT_EQ(out, (std::vector<int32_t>{8, 9, 10}));
}

TEST_F(Generator, AReceiverThatFailsEndsIt) {
  auto ending = generate(
      *session, sampler, {}, std::vector<int32_t>{7}, -1,
      [&](int32_t) { return Status::system(28, "cannot write"); }, none);
  EXPECT_EQ(ending.status().text(), "cannot write: No space left on device");
}

TEST_F(Generator, ForbiddenTokensAreSteppedOver) {
  sampler.forbid(8);
  ASSERT_TRUE(go({7}, 1).ok());
  std::vector<float> logits = toy::expectedLogits(std::vector<int32_t>{7});
  logits[8] = -1;
  EXPECT_EQ(out[0],
            std::max_element(logits.begin(), logits.end()) - logits.begin());
}

} // namespace
} // namespace qwen
