// ctest -R unit/codegen_catalog - kernel symbols print and parse back; what is
// none is refused.
#include "codegen/catalog/KernelSymbol.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

TEST(KernelSymbol, ParsesBackToWhatItPrints) {
  for (const char *text :
       {"qk_linear__q5g32_q8g32_bias__k896_n896_m64_t1__avx512_p1x4x2",
        "qk_rms_norm__plain__k896_h1_t0__x86_64_p",
        "qk_attention__f16__h14_r7_c64_s4096_t0__avx2_p7x1x0",
        "qk_linear_rope_append__q4k_q8g32_f16_bias_norm__k512_m64_c64_s64_t1__"
        "avx512_p1x1x1"}) {
    const std::optional<KernelSymbol> symbol = KernelSymbol::parse(text);
    ASSERT_TRUE(symbol) << text;
    EXPECT_EQ(symbol->str(), text);
  }
}

TEST(KernelSymbol, TakesItsPartsApart) {
  const std::optional<KernelSymbol> symbol = KernelSymbol::parse(
      "qk_linear_rope__q5g32_q8g32_bias__k896_n896_m64_c64_t0__x86_64_p8x2x1");
  ASSERT_TRUE(symbol);
  EXPECT_EQ(symbol->kernel, "linear_rope");
  EXPECT_EQ(symbol->options,
            (std::vector<std::string>{"q5g32", "q8g32", "bias"}));
  EXPECT_EQ(symbol->dim("c"), 64);
  EXPECT_EQ(symbol->dim("s"), -1);
  EXPECT_EQ(symbol->target, "x86_64");
  EXPECT_EQ(symbol->point, (std::vector<int64_t>{8, 2, 1}));
}

TEST(KernelSymbol, RefusesWhatIsNone) {
  for (const char *text :
       {"", "qk_", "linear__plain__k1__avx2_p", "qk_linear__plain__k1__avx2",
        "qk_linear__plain__k1__avx2_p1xx2", "qk_linear__plain__k__avx2_p",
        "qk_linear__plain__1__avx2_p", "qk_linear__plain__k-1__avx2_p",
        "qk_linear__plain__k99999999999999999999__avx2_p",
        "qk_linear__a__k1__avx2_p1__extra", "qk___plain__k1__avx2_p"})
    EXPECT_FALSE(KernelSymbol::parse(text)) << text;
}

} // namespace
} // namespace qwen
