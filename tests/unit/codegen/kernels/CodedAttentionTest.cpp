// CodedAttentionTest.cpp - which heads a cache of integers takes.
#include "codegen/kernels/Kernel.h"

#include <gtest/gtest.h>

namespace qwen::codegen {
namespace {

/// What building attention over heads of so many columns says; empty: nothing.
std::string problem(const std::string &cache, int columns) {
  try {
    buildModule(*KernelSymbol::parse("qk_attention__" + cache + "__h1_r1_c" +
                                     std::to_string(columns) +
                                     "_s64_t1__x86_64_p1x1x0"));
  } catch (const KernelError &error) {
    return error.text;
  }
  return "";
}

TEST(CodedAttention, WordsRefuseHeadsThatTheirSumsMayNotHold) {
  EXPECT_EQ(problem("int16", 512), "");
  EXPECT_EQ(problem("int16", 544),
            "a cache of int16 takes heads of at most 512 columns, and these "
            "have 544; `--cache-type f16` takes them");
  EXPECT_EQ(problem("int8", 544), "");
}

} // namespace
} // namespace qwen::codegen
