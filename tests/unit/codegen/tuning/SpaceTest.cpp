// ctest -R unit/codegen_tuning_runner - the legal points of a kernel, and why
// one has none.
#include "tools/qwenc-kernel/Space.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

KernelSymbol symbol(int64_t rows) {
  return {"linear",
          {"q8g32", "q8g32"},
          {{"k", 256}, {"n", rows}, {"m", rows}, {"t", 1}},
          "avx2",
          {}};
}

std::optional<std::string> reason(const KernelCatalog &catalog, int64_t rows) {
  return whyNoPoint(catalog, *catalog.kernel("linear"), symbol(rows));
}

TEST(Space, EveryLegalPointIsListed) {
  const KernelCatalog catalog = codegen::makeCatalog();
  const std::vector<KernelSymbol> points =
      legalPoints(catalog, *catalog.kernel("linear"), symbol(32));
  ASSERT_GT(points.size(), 1U);
  for (const KernelSymbol &point : points)
    EXPECT_EQ(catalog.check(point), std::nullopt) << point.str();
  EXPECT_EQ(reason(catalog, 32), std::nullopt);
}

TEST(Space, TellsWhyThereIsNoPoint) {
  KernelCatalog catalog = codegen::makeCatalog();
  for (CatalogKernel &kernel : catalog.kernels)
    for (CatalogKnob &knob : kernel.knobs)
      if (knob.name == "panels")
        knob.values = {2, 4};
  EXPECT_EQ(reason(catalog, 32), std::nullopt);
  EXPECT_EQ(reason(catalog, 16),
            "knob `panels` of kernel `linear` cannot be 2 here; values: 2, 4");
  EXPECT_EQ(reason(codegen::makeCatalog(), 24),
            "dim `m` of kernel `linear` is 24, not a multiple of 16");
}

} // namespace
} // namespace qwen
