// SamplerTest.cpp - run alone: unit_runtime_core --gtest_filter='Sampler*'
#include "runtime/core/Sampler.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <numeric>

namespace qwen {
namespace {

// Hugging Face's processors as plainly as possible: whole vectors, full sorts,
// f64. [V] probabilities.
std::vector<double> plainDistribution(std::vector<double> scores,
                                      const SamplerOptions &options,
                                      const std::vector<int32_t> &seen,
                                      const std::vector<int32_t> &forbidden) {
  const double kDropped = -INFINITY;
  auto softmax = [](const std::vector<double> &x) {
    double most = *std::max_element(x.begin(), x.end()), sum = 0;
    std::vector<double> p;
    for (double value : x)
      p.push_back(std::exp(value - most));
    sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double &value : p)
      value /= sum;
    return p;
  };
  for (int32_t id : forbidden)
    scores[static_cast<size_t>(id)] = kDropped;
  for (int32_t id : seen) {
    double &score = scores[static_cast<size_t>(id)];
    score = score < 0 ? score * options.repetitionPenalty
                      : score / options.repetitionPenalty;
  }
  for (double &score : scores)
    score /= options.temperature;
  if (options.topK > 0) {
    std::vector<double> sorted = scores;
    std::sort(sorted.rbegin(), sorted.rend());
    double kth = sorted[static_cast<size_t>(
        std::min<int64_t>(options.topK, static_cast<int64_t>(sorted.size())) -
        1)];
    for (double &score : scores)
      score = score < kth ? kDropped : score;
  }
  if (options.topP < 1) {
    // Ascending; everything within the first 1 - p of the mass goes, but for
    // the last.
    std::vector<double> p = softmax(scores);
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return p[a] < p[b]; });
    double sum = 0;
    for (size_t i = 0; i + 1 < order.size(); ++i) {
      sum += p[order[i]];
      if (sum <= 1 - options.topP)
        scores[order[i]] = kDropped;
    }
  }
  if (options.minP > 0) {
    std::vector<double> p = softmax(scores);
    double least = *std::max_element(p.begin(), p.end()) * options.minP;
    for (size_t i = 0; i < p.size(); ++i)
      if (p[i] < least)
        scores[i] = kDropped;
  }
  return softmax(scores);
}

std::vector<float> someLogits(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> logits;
  for (int64_t i = 0; i < count; ++i)
    logits.push_back(static_cast<float>(random.uniform() * 16 - 8));
  return logits;
}

struct SamplerCase {
  const char *name;
  SamplerOptions options;
};

const SamplerCase kCases[] = {
    {"temperature", {.temperature = 0.7}},
    {"hot", {.temperature = 3}},
    {"top_k", {.temperature = 1, .topK = 5}},
    {"top_k_one", {.temperature = 1, .topK = 1}},
    {"top_k_beyond_vocabulary", {.temperature = 1, .topK = 100000}},
    {"top_p", {.temperature = 1.5, .topP = 0.8}},
    {"top_p_nearly_all", {.temperature = 2, .topP = 0.999}},
    {"top_p_tiny", {.temperature = 1, .topP = 0.0001}},
    {"min_p", {.temperature = 1, .minP = 0.05}},
    {"min_p_one", {.temperature = 1, .minP = 1}},
    {"penalty", {.temperature = 1, .repetitionPenalty = 1.3}},
    {"all",
     {.temperature = 0.8,
      .topK = 40,
      .topP = 0.9,
      .minP = 0.02,
      .repetitionPenalty = 1.1}},
};

class SamplerDistribution : public testing::TestWithParam<SamplerCase> {};

TEST_P(SamplerDistribution, EqualsThePlainComputation) {
  for (int64_t vocab : {3, 300, 5000}) {
    std::vector<float> logits = someLogits(vocab, 11);
    std::vector<int32_t> seen = {0, 2, 1}, forbidden;
    if (vocab > 3)
      forbidden = {5, 77, 299};
    Sampler sampler(GetParam().options, vocab);
    sampler.see(seen);
    for (int32_t id : forbidden)
      sampler.forbid(id);
    std::vector<double> expected = plainDistribution(
        {logits.begin(), logits.end()}, GetParam().options, seen, forbidden);
    std::vector<double> got(expected.size());
    double before = 1;
    for (auto [id, probability] : sampler.distribution(logits.data())) {
      got[static_cast<size_t>(id)] = probability;
      before = std::min(before, probability);
    }
    // The runtime rounds the processed logit to f32, a relative 2^-24 of at
    // most 24: |dp| <= p * 3e-6.
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], 3e-6 * expected[i])
          << "token " << i << " of " << vocab;
  }
}

TEST_P(SamplerDistribution, DrawsFollowIt) {
  constexpr int kDraws = 20000;
  std::vector<float> logits = someLogits(24, 3);
  SamplerOptions options = GetParam().options;
  options.seed = 42;
  Sampler sampler(options, 24);
  std::map<int32_t, int> counts;
  for (int i = 0; i < kDraws; ++i)
    ++counts[*sampler.sample(logits.data(), -1)];
  for (auto [id, probability] : sampler.distribution(logits.data())) {
    // Five standard deviations of a binomial count, and one draw.
    double bound = 5 * std::sqrt(kDraws * probability * (1 - probability)) + 1;
    EXPECT_NEAR(counts[id], kDraws * probability, bound) << "token " << id;
    counts.erase(id);
  }
  EXPECT_TRUE(counts.empty());
}

INSTANTIATE_TEST_SUITE_P(Cases, SamplerDistribution, testing::ValuesIn(kCases),
                         [](const auto &info) {
                           return std::string(info.param.name);
                         });

TEST(Sampler, EqualSeedsGiveEqualTokens) {
  std::vector<float> logits = someLogits(1000, 1);
  auto draw = [&](uint64_t seed) {
    Sampler sampler({.temperature = 2, .seed = seed}, 1000);
    std::vector<int32_t> ids;
    for (int i = 0; i < 50; ++i)
      ids.push_back(*sampler.sample(logits.data(), -1));
    return ids;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

TEST(Sampler, GreedyTakesTheGeneratedChoiceUnlessItMayNot) {
  std::vector<float> logits = {1, 5, 5, 4};
  Sampler sampler({}, 4);
  EXPECT_EQ(*sampler.sample(logits.data(), 1), 1);
  EXPECT_EQ(*sampler.sample(logits.data(), 99), 1);
  sampler.forbid(1);
  EXPECT_EQ(*sampler.sample(logits.data(), 1), 2);
  Sampler penalised({.repetitionPenalty = 2}, 4);
  penalised.see(std::vector<int32_t>{1, 2});
  EXPECT_EQ(*penalised.sample(logits.data(), 1), 3);
  penalised.reset();
  EXPECT_EQ(*penalised.sample(logits.data(), 1), 1);
}

TEST(Sampler, TiesAtTopKGoToTheLowestIds) {
  std::vector<float> logits = {1, 3, 2, 2, 2};
  Sampler sampler({.temperature = 1, .topK = 3}, 5);
  std::vector<int32_t> ids;
  for (auto [id, probability] : sampler.distribution(logits.data()))
    ids.push_back(id);
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 2, 3}));
}

// Whatever lies below a floor that settles the choice, and whatever the floor,
// it gives what all logits give, from the same random number.
TEST(Sampler, WhatSettlesAChoiceGivesTheTokenOfAllLogits) {
  constexpr int64_t kVocab = 200;
  const SamplerOptions ways[] = {
      {.temperature = 1, .topK = 1},
      {.temperature = 1, .topK = 5},
      {.temperature = 0.01, .topK = 20},
      {.temperature = 0.7, .topK = 20, .topP = 0.8, .repetitionPenalty = 1.1},
      {.temperature = 3, .topK = 3, .topP = 0.5, .minP = 0.2},
      {.temperature = 1, .topK = 8, .minP = 0.3},
      {.temperature = 1, .topK = kVocab},
      {.temperature = 1, .topK = 10 * kVocab, .topP = 0.9},
      {.temperature = 1.3, .minP = 0.1},
      {.temperature = 1, .minP = 1},
      {.temperature = 1, .topP = 0.3},
      {.temperature = 0, .repetitionPenalty = 2},
      {.temperature = 1, .topK = 2, .repetitionPenalty = 5},
  };
  const float nan = NAN;
  int64_t settled[2] = {0, 0};
  for (SamplerOptions options : ways)
    for (uint64_t seed = 0; seed < 300; ++seed) {
      options.seed = seed;
      Random random(seed + 1000);
      std::vector<float> logits = someLogits(kVocab, seed);
      // Coarse steps make ties; some rows stand out, some are no numbers.
      for (float &logit : logits)
        logit = seed % 3 == 0 ? std::round(logit) : logit;
      for (int i = 0; i < 4; ++i)
        logits[static_cast<size_t>(random.uniform() * kVocab)] +=
            static_cast<float>(6 * random.uniform());
      if (seed % 7 == 0)
        logits[3] = nan;
      std::vector<float> sorted = logits;
      std::erase_if(sorted, [](float logit) { return std::isnan(logit); });
      std::sort(sorted.rbegin(), sorted.rend());
      const float floor = sorted[static_cast<size_t>(random.uniform() * 30)];
      std::vector<float> few = logits, near = logits;
      for (size_t i = 0; i < few.size(); ++i)
        if (few[i] < floor) {
          few[i] = -INFINITY;
          near[i] = std::nextafter(floor, -INFINITY);
        }
      const auto prepared = [&] {
        Sampler sampler(options, kVocab);
        sampler.see(std::vector<int32_t>{1, 2, 3, 50, 51, 52, 53, 54});
        sampler.forbid(static_cast<int32_t>(
            std::max_element(few.begin(), few.begin() + 3) - few.begin()));
        return sampler;
      };
      Sampler sampler = prepared();
      const bool yes = sampler.settles(few.data(), floor);
      ++settled[yes];
      // Asked in vain, it draws as if it had not been.
      Sampler all = prepared();
      const int32_t token = *all.sample(logits.data(), -1);
      if (!yes) {
        EXPECT_EQ(*sampler.sample(logits.data(), -1), token);
        continue;
      }
      EXPECT_EQ(*sampler.sample(few.data(), -1, floor), token)
          << "seed " << seed << " top-k " << options.topK;
      Sampler other = prepared();
      EXPECT_EQ(*other.sample(near.data(), -1), token)
          << "seed " << seed << " top-k " << options.topK;
      EXPECT_EQ(*sampler.sample(logits.data(), -1),
                *all.sample(logits.data(), -1));
    }
  EXPECT_GT(settled[0], 300);
  EXPECT_GT(settled[1], 300);
}

TEST(Sampler, AFloorSettlesOnlyWhatIsAboveIt) {
  const float low = -INFINITY;
  std::vector<float> logits = {4, 3, 3, low, low};
  const auto settles = [&](const SamplerOptions &options, float floor) {
    return Sampler(options, 5).settles(logits.data(), floor);
  };
  EXPECT_TRUE(settles({.temperature = 1, .topK = 1}, 3));
  EXPECT_FALSE(settles({.temperature = 1, .topK = 1}, 4)); // one may equal it
  EXPECT_FALSE(settles({.temperature = 1, .topK = 1}, NAN));
  EXPECT_TRUE(settles({.temperature = 1, .topK = 3}, 2));
  // Two logits that differ are equal once divided.
  float under = 1.5f;
  while (static_cast<float>(under / 1.5) !=
         static_cast<float>(std::nextafter(under, 2.0f) / 1.5))
    under = std::nextafter(under, 2.0f);
  logits = {std::nextafter(under, 2.0f), low, low, low, low};
  EXPECT_TRUE(settles({.temperature = 1, .topK = 1}, under));
  EXPECT_FALSE(settles({.temperature = 1.5, .topK = 1}, under));
  // All of them may be asked for, but not of a part of them.
  EXPECT_FALSE(settles({.temperature = 1}, 1));
  EXPECT_TRUE(settles({.temperature = 1}, low));
  EXPECT_FALSE(settles({.temperature = 0, .repetitionPenalty = 0.9}, 0));
  EXPECT_TRUE(settles({.temperature = 0}, under));
  EXPECT_FALSE(settles({.temperature = 0}, logits[0]));
}

TEST(Sampler, OnlyChoicesAmongTheLargestHaveADepth) {
  const auto deep = [](const SamplerOptions &options) {
    return Sampler(options, 5).depth().has_value();
  };
  EXPECT_TRUE(deep({.temperature = 1, .topK = 20}));
  EXPECT_TRUE(deep({.temperature = 1, .minP = 0.1}));
  EXPECT_TRUE(deep({.repetitionPenalty = 1.1}));
  EXPECT_FALSE(deep({.temperature = 1}));
  EXPECT_FALSE(deep({.temperature = 1, .topP = 0.9}));
  EXPECT_FALSE(deep({.temperature = 1, .topP = 0.9, .minP = 0.1}));
  EXPECT_FALSE(deep({.temperature = 1, .topK = 20, .repetitionPenalty = 0.9}));
}

TEST(Sampler, LogitsThatAreNotFiniteAreNeverChosen) {
  std::vector<float> logits = {NAN, -INFINITY, 0.5f, NAN};
  for (double temperature : {0.0, 1.0}) {
    Sampler sampler({.temperature = temperature}, 4);
    EXPECT_EQ(*sampler.sample(logits.data(), 0), 2);
    std::vector<float> none(4, NAN);
    EXPECT_EQ(sampler.sample(none.data(), 0).status().code(), Code::kInternal);
  }
}

TEST(Sampler, OptionsOutsideTheirRangeAreNamed) {
  EXPECT_EQ(SamplerOptions{.temperature = -1}.check().text(),
            "a temperature of -1; it is at least 0");
  EXPECT_EQ(SamplerOptions{.temperature = NAN}.check().code(), Code::kInvalid);
  EXPECT_EQ(SamplerOptions{.topK = -1}.check().text(),
            "a top-k of -1; it is at least 0, and 0 keeps every token");
  EXPECT_EQ(SamplerOptions{.topP = 0}.check().text(),
            "a top-p of 0; it is above 0 and at most 1");
  EXPECT_EQ(SamplerOptions{.minP = 2}.check().text(),
            "a min-p of 2; it is at least 0 and at most 1");
  EXPECT_EQ(SamplerOptions{.repetitionPenalty = 0}.check().text(),
            "a repetition penalty of 0; it is above 0, and 1 changes nothing");
  EXPECT_TRUE(SamplerOptions{}.check().ok());
}

} // namespace
} // namespace qwen
