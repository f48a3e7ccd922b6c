// ctest -R unit/codegen_tuning - the search on made-up times.
#include "codegen/tuning/Search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace qwen {
namespace {

const KernelCatalog &catalog() { return KernelCatalog::builtin(); }

/// All legal points of a linear for many tokens.
std::vector<KernelSymbol> points() {
  KernelSymbol symbol{"linear",
                      {"q8g32", "q8g32"},
                      {{"k", 896}, {"n", 4864}, {"m", 128}, {"t", 0}},
                      "avx512",
                      {}};
  std::vector<std::vector<int64_t>> rows{{}};
  for (const CatalogKnob &knob : catalog().kernel("linear")->knobs) {
    std::vector<std::vector<int64_t>> next;
    for (const auto &row : rows)
      for (int64_t value : knob.values) {
        next.push_back(row);
        next.back().push_back(value);
      }
    rows = next;
  }
  std::vector<KernelSymbol> list;
  for (const auto &row : rows) {
    symbol.point = row;
    if (!catalog().check(symbol))
      list.push_back(symbol);
  }
  return list;
}

/// Time over the start's: a bowl around a point off the middle.
double ratioOf(const KernelSymbol &symbol) {
  const std::vector<CatalogKnob> &knobs = catalog().kernel("linear")->knobs;
  double distance = 0;
  for (size_t i = 0; i < symbol.point.size(); ++i)
    // Not a knob that has no other value here.
    if (symbol.point[i] > 0 && !knobs[i].sumBits)
      distance += std::pow(std::log2(double(symbol.point[i] + 1)) - 2, 2);
  return 0.5 + 0.1 * distance;
}

std::vector<size_t> trace(Strategy strategy, uint64_t seed, int64_t count) {
  CostModel model(catalog());
  Search search(points(), 0, model, strategy, seed);
  search.tell(0, 1);
  std::vector<size_t> all;
  while (int64_t(all.size()) < count) {
    const std::vector<size_t> batch = search.propose(2);
    if (batch.empty())
      break;
    for (const size_t index : batch) {
      search.tell(index, ratioOf(search.point(index)));
      all.push_back(index);
    }
  }
  return all;
}

TEST(Search, EqualSeedsGiveEqualProposals) {
  for (const Strategy strategy : {Strategy::Evolve, Strategy::Random}) {
    EXPECT_EQ(trace(strategy, 7, 20), trace(strategy, 7, 20));
    EXPECT_NE(trace(strategy, 7, 20), trace(strategy, 8, 20));
  }
}

TEST(Search, ProposesEveryPointOnce) {
  const std::vector<size_t> all = trace(Strategy::Evolve, 3, 1 << 20);
  const std::set<size_t> distinct(all.begin(), all.end());
  EXPECT_EQ(distinct.size(), all.size());
  EXPECT_EQ(all.size(), points().size() - 1);
  EXPECT_FALSE(distinct.count(0));
}

TEST(Search, FailedPointsAreNotRanked) {
  CostModel model(catalog());
  Search search(points(), 0, model, Strategy::Evolve, 1);
  search.tell(0, 1);
  search.tell(1, std::numeric_limits<double>::infinity());
  search.tell(2, 0.5);
  EXPECT_EQ(search.ranking(), (std::vector<size_t>{2, 0}));
}

TEST(Search, BeatsRandomOnTheBowl) {
  const std::vector<KernelSymbol> all = points();
  double evolved = 0, drawn = 0;
  for (uint64_t seed = 0; seed < 40; ++seed)
    for (const Strategy strategy : {Strategy::Evolve, Strategy::Random}) {
      double best = 1e9;
      for (const size_t index : trace(strategy, seed, 8))
        best = std::min(best, ratioOf(all[index]));
      (strategy == Strategy::Evolve ? evolved : drawn) += std::log(best) / 40;
    }
  EXPECT_LT(evolved, drawn);
}

} // namespace
} // namespace qwen
