// ctest -R unit/codegen_tuning_runner - candidates that are wrong, crash or
// hang lose; the others are timed all the same.
#include "tools/qwenc-kernel/tune/Runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>

namespace qwen {
namespace {

constexpr int64_t kColumns = 64;

const float *hostOf(const void *buffer) {
  return reinterpret_cast<const float *>(
      static_cast<const halide_buffer_t *>(buffer)->host);
}

void addRow(const void *a, const void *b, const void *y, float extra) {
  float *out = const_cast<float *>(hostOf(y));
  for (int64_t i = 0; i < kColumns; ++i)
    out[i] = hostOf(a)[i] + hostOf(b)[i] + extra;
}

// The kernel `add` for one token: inputs a and b, the scalar T, output y.
int right(void *a, void *b, int, void *y) {
  addRow(a, b, y, 0);
  return 0;
}
int slow(void *a, void *b, int, void *y) {
  for (int i = 0; i < 40; ++i)
    addRow(a, b, y, 0);
  return 0;
}
int wrong(void *a, void *b, int, void *y) {
  addRow(a, b, y, 0.5F);
  return 0;
}
int idle(void *, void *, int, void *) { return 0; }
int crash(void *, void *, int, void *) { return std::raise(SIGSEGV); }
int hang(void *, void *, int, void *) {
  for (;;)
    std::raise(0);
}

KernelSymbol symbol(int64_t unused = 1) {
  return {"add", {}, {{"k", kColumns}, {"t", 1}}, "avx2", {unused}};
}

template <typename Function> Candidate candidate(Function *function, int name) {
  return {symbol(name), reinterpret_cast<void *>(function)};
}

Workload quick() {
  Workload workload;
  workload.threads = {1};
  workload.sampleSeconds = 2e-4;
  workload.limitSeconds = 1;
  return workload;
}

TEST(Runner, LosesBadCandidatesAndNoOther) {
  volatile int stop = 0;
  Runner runner(symbol(), quick());
  const std::vector<Outcome> outcomes = runner.run({candidate(right, 0),
                                                    candidate(wrong, 1),
                                                    candidate(crash, 2),
                                                    candidate(slow, 3),
                                                    candidate(hang, 4),
                                                    candidate(idle, 5),
                                                    {symbol(6), nullptr}},
                                                   3, stop);
  EXPECT_FALSE(outcomes[0].failed);
  EXPECT_EQ(outcomes[0].ratio(), 1);
  EXPECT_TRUE(outcomes[1].failed);
  EXPECT_EQ(outcomes[1].reason.substr(0, 13), "is wrong: y[0");
  EXPECT_EQ(outcomes[2].reason, "crashed with signal 11");
  EXPECT_FALSE(outcomes[3].failed) << outcomes[3].reason;
  EXPECT_GT(outcomes[3].ratio(), 1.5);
  EXPECT_EQ(outcomes[4].reason, "took longer than 1 s");
  EXPECT_TRUE(outcomes[5].failed) << "wrote nothing";
  EXPECT_EQ(outcomes[6].reason, "did not compile");
  EXPECT_TRUE(std::isinf(outcomes[6].ratio()));
  EXPECT_GT(runner.baseMicroseconds(), 0);
}

// The kernel `quantize` for one token of 32 values: its sums follow from the
// values that it chose.
int quantizeRow(void *x, void *values, void *scale, void *sums, int added) {
  const auto bytes = [](void *buffer) {
    return static_cast<halide_buffer_t *>(buffer)->host;
  };
  float peak = 0;
  for (int64_t i = 0; i < 32; ++i)
    peak = std::max(peak, std::abs(hostOf(x)[i]));
  *reinterpret_cast<float *>(bytes(scale)) = peak / 127;
  auto *sum = reinterpret_cast<int16_t *>(bytes(sums));
  for (int64_t i = 0; i < 32; ++i) {
    const auto value = int8_t(std::nearbyint(hostOf(x)[i] / (peak / 127)));
    reinterpret_cast<int8_t *>(bytes(values))[i] = value;
    sum[i / 16] = int16_t((i % 16 ? sum[i / 16] : added) + value);
  }
  return 0;
}
int quantized(void *x, int, void *values, void *scale, void *sums) {
  return quantizeRow(x, values, scale, sums, 0);
}
int wrongSums(void *x, int, void *values, void *scale, void *sums) {
  return quantizeRow(x, values, scale, sums, 1);
}

TEST(Runner, JudgesResultsThatFollowFromOthers) {
  volatile int stop = 0;
  const auto named = [](int64_t lanes) {
    return KernelSymbol{"quantize", {}, {{"k", 32}, {"t", 1}}, "avx2", {lanes}};
  };
  Runner runner(named(8), quick());
  const std::vector<Outcome> outcomes =
      runner.run({{named(8), reinterpret_cast<void *>(quantized)},
                  {named(16), reinterpret_cast<void *>(wrongSums)}},
                 3, stop);
  EXPECT_FALSE(outcomes[0].failed) << outcomes[0].reason;
  EXPECT_EQ(outcomes[1].reason.substr(0, 16), "is wrong: xsum[0");
}

TEST(Runner, GivesUpWhenTheFirstOneIsBad) {
  volatile int stop = 0;
  Runner runner(symbol(), quick());
  const std::vector<Outcome> outcomes =
      runner.run({candidate(crash, 0), candidate(right, 1)}, 3, stop);
  EXPECT_TRUE(outcomes[0].failed);
}

TEST(Runner, StopsWhenAsked) {
  volatile int stop = 1;
  Runner runner(symbol(), quick());
  EXPECT_TRUE(
      runner.run({candidate(right, 0)}, 3, stop).front().ratios.empty());
}

} // namespace
} // namespace qwen
