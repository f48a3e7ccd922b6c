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

TEST(Sampler, TiesAtTopKStay) {
  std::vector<float> logits = {1, 3, 2, 2, 2};
  Sampler sampler({.temperature = 1, .topK = 2}, 5);
  EXPECT_EQ(sampler.distribution(logits.data()).size(), 4u);
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
