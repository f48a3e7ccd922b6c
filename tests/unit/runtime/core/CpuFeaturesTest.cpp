// CpuFeaturesTest.cpp - run alone: unit_runtime_core
// --gtest_filter='CpuFeatures*'
#include "runtime/core/CpuFeatures.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

// A CPU of AVX2's generation: FMA, F16C, AVX and OSXSAVE in leaf 1, BMI and
// AVX2 in leaf 7.
CpuidRegisters avx2Cpuid(uint32_t leaf, uint32_t subleaf) {
  if (leaf == 1)
    return {.ecx = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29};
  if (leaf == 7 && subleaf == 0)
    return {.ebx = 1u << 3 | 1u << 5 | 1u << 8};
  return {};
}

// Every feature bit set.
CpuidRegisters everything(uint32_t, uint32_t) { return {~0u, ~0u, ~0u, ~0u}; }
// The same, on a system that does not save vector registers by XSAVE.
CpuidRegisters withoutOsXsave(uint32_t leaf, uint32_t) {
  return {~0u, ~0u, leaf == 1 ? ~(1u << 27) : ~0u, ~0u};
}

uint64_t savesAvx() { return 0x7; }
uint64_t savesAvx512() { return 0xe7; }
uint64_t mustNotBeAsked() {
  ADD_FAILURE() << "xgetbv without OSXSAVE is an illegal instruction";
  return ~0ull;
}

constexpr CpuProbe kAvx2 = {avx2Cpuid, savesAvx};

TEST(CpuFeatures, AcceptsWhatTheCpuHas) {
  EXPECT_TRUE(checkCpuFeatures("avx2,fma,f16c,bmi,bmi2", "avx2", kAvx2).ok());
  EXPECT_TRUE(checkCpuFeatures("", "baseline", kAvx2).ok());
}

TEST(CpuFeatures, RefusalNamesTheMissingOnesAndTheTarget) {
  Status status =
      checkCpuFeatures("avx2,avx512f,fma,avx512vnni", "avx512", kAvx2);
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_EQ(status.exitCode(), 1);
  EXPECT_EQ(status.text(), "this CPU lacks `avx512f`, `avx512vnni`; the "
                           "executable was built for target `avx512`, which "
                           "needs avx2,avx512f,fma,avx512vnni");
}

TEST(CpuFeatures, NamesDifferOnlyInPunctuation) {
  EXPECT_TRUE(cpuHas("avx512_vnni", {everything, savesAvx512}));
  EXPECT_TRUE(cpuHas("sse4.2", {everything, savesAvx512}));
  EXPECT_TRUE(cpuHas("+avx2", kAvx2));
}

TEST(CpuFeatures, RegistersThatTheSystemDoesNotSaveDoNotCount) {
  EXPECT_FALSE(cpuHas("avx512f", {everything, savesAvx}));
  EXPECT_TRUE(cpuHas("avx2", {everything, savesAvx}));
  EXPECT_FALSE(cpuHas("avx2", {withoutOsXsave, mustNotBeAsked}));
  EXPECT_TRUE(cpuHas("popcnt", {withoutOsXsave, mustNotBeAsked}));
}

TEST(CpuFeatures, AFeatureItCannotCheckIsMissing) {
  EXPECT_FALSE(
      checkCpuFeatures("avx2,amx-tile", "amx", {everything, savesAvx512}).ok());
}

#if defined(__x86_64__)
TEST(CpuFeatures, TheHardwareAgreesWithTheCompilersOwnCheck) {
  EXPECT_TRUE(cpuHas("sse2"));
  EXPECT_EQ(cpuHas("avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(cpuHas("fma"), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(cpuHas("avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(cpuHas("avx512vnni"), __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ(cpuHas("avx512bf16"), __builtin_cpu_supports("avx512bf16") != 0);
}
#endif

} // namespace
} // namespace qwen
