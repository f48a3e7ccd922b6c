// ctest -R unit/codegen_tuning - what the cost model learns.
#include "codegen/tuning/CostModel.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

const KernelCatalog &catalog() { return KernelCatalog::builtin(); }

/// A linear for many tokens, each knob at the largest value up to the one
/// named, 1 elsewhere.
KernelSymbol linear(const std::string &target,
                    const std::vector<std::pair<std::string, int64_t>> &knobs) {
  KernelSymbol symbol{"linear",
                      {"q8g32", "q8g32"},
                      {{"k", 896}, {"n", 4864}, {"m", 64}, {"t", 0}},
                      target,
                      {}};
  for (const CatalogKnob &knob : catalog().kernel("linear")->knobs) {
    symbol.point.push_back(knob.values.front());
    for (const auto &[name, value] : knobs)
      if (name == knob.name)
        symbol.point.back() = value;
  }
  return symbol;
}

std::vector<double> difference(const CostModel &model, const KernelSymbol &a,
                               const KernelSymbol &b) {
  std::vector<double> list = model.features(a);
  const std::vector<double> base = model.features(b);
  for (size_t i = 0; i < list.size(); ++i)
    list[i] -= base[i];
  return list;
}

TEST(CostModel, ExpectsFewLoadsToBeFasterBeforeAnyFigure) {
  CostModel model(catalog());
  const KernelSymbol wide = linear("avx512", {{"tokens", 8}, {"panels", 2}});
  const KernelSymbol narrow = linear("avx512", {{"tokens", 1}, {"panels", 1}});
  EXPECT_GT(model.guess(difference(model, narrow, wide)).mean, 0);
}

TEST(CostModel, LearnsWhatItIsTold) {
  CostModel model(catalog());
  const KernelSymbol base = linear("avx512", {{"tokens", 8}});
  const KernelSymbol other = linear("avx512", {{"tokens", 2}});
  const std::vector<double> away = difference(model, other, base);
  const double before = model.guess(away).deviation;
  for (int i = 0; i < 20; ++i)
    model.observe(away, -0.4);
  EXPECT_NEAR(model.guess(away).mean, -0.4, 0.02);
  EXPECT_LT(model.guess(away).deviation, before / 4);
}

TEST(CostModel, ThePointItselfCostsNothing) {
  CostModel model(catalog());
  const KernelSymbol base = linear("avx512", {});
  const CostModel::Guess guess = model.guess(difference(model, base, base));
  EXPECT_EQ(guess.mean, 0);
  EXPECT_EQ(guess.deviation, 0);
}

TEST(FitsTarget, RulesOutMoreAccumulatorsThanRegisters) {
  const KernelSymbol sixteen = linear("avx512", {{"tokens", 8}, {"panels", 2}});
  EXPECT_TRUE(fitsTarget(catalog(), sixteen));
  // A panel of 16 lanes is two registers there, of sixteen.
  KernelSymbol same = sixteen;
  same.target = "avx2";
  EXPECT_FALSE(fitsTarget(catalog(), same));
}

TEST(FitsTarget, RulesOutAnOrderOfOneTileOfPanels) {
  KernelSymbol symbol = linear("avx512", {{"panels", 2}, {"tokens_outer", 1}});
  EXPECT_TRUE(fitsTarget(catalog(), symbol));
  symbol.dims[2].second = 32; // both panels of the chunk
  EXPECT_FALSE(fitsTarget(catalog(), symbol));
}

TEST(FitsTarget, RulesOutTokenTilesBeyondTheCache) {
  KernelSymbol symbol = linear("avx512", {{"tokens", 8}});
  EXPECT_TRUE(fitsTarget(catalog(), symbol));
  symbol.dims[0].second = 64 << 10; // 8 rows of 64 Ki f32 are 2 MiB
  EXPECT_FALSE(fitsTarget(catalog(), symbol));
}

} // namespace
} // namespace qwen
