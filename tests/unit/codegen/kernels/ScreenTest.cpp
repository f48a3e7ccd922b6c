// ctest -R unit/codegen_kernels --gtest_filter='Screen.*'
//
// ScreenTest.cpp - a screened head gives the full head's token and, where it
// gives scores, the full head's bits, whatever the weights and the activations.
#include "codegen/formats/Blocks.h"
#include "codegen/kernels/Kernel.h"
#include "tools/qwenc-kernel/SharedObject.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

namespace qwen::codegen {
namespace {

constexpr int64_t kInner = 384, kRows = 500, kEligible = 490, kChunk = 64,
                  kPadded = 512, kGroups = kInner / 32;
constexpr int64_t kStoredBlock = 34;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

/// Rows of q8_0 blocks in a format's planes.
struct Packed {
  const Format &format;
  std::vector<uint8_t> bytes;

  Packed(const char *name, const std::vector<uint8_t> &stored)
      : format(*findFormat(name)) {
    bytes.resize(size_t(weightBytes(format, kPadded, kInner)));
    for (int64_t first = 0; first < kPadded; first += kPanelRows) {
      PackPanel panel{"q8_0", {}, kInner, {}};
      for (int64_t n = 0; n < kPanelRows; ++n)
        panel.rows[n] =
            first + n < kRows
                ? stored.data() + (first + n) * kGroups * kStoredBlock
                : nullptr;
      panel.planes = panelBlocks(format, bytes.data(), kPadded, kInner,
                                 first / kPanelRows);
      EXPECT_EQ(format.pack(panel), -1);
    }
  }
  uint8_t *at(size_t plane, int64_t row) {
    return bytes.data() + planeStart(format, plane, kPadded, kInner) +
           streamBytes(format, plane, row, kInner);
  }
};

/// One row of q8g32 activations with the spare rows that kernels may touch.
struct Rows {
  std::vector<int8_t> values = std::vector<int8_t>(9 * kInner);
  std::vector<float> scales = std::vector<float>(9 * 16);
  std::vector<int16_t> sums = std::vector<int16_t>(9 * 32);

  void addUp() {
    for (int64_t half = 0; half < 2 * kGroups; ++half) {
      int16_t &sum = sums[size_t(half)];
      sum = 0;
      for (int64_t i = 0; i < 16; ++i)
        sum = int16_t(sum + values[size_t(16 * half + i)]);
    }
  }
};

struct Case {
  std::string name;
  std::vector<uint8_t> stored =
      std::vector<uint8_t>(size_t(kRows * kGroups * kStoredBlock));
  Rows x;
  uint8_t *block(int64_t row, int64_t group) {
    return stored.data() + (row * kGroups + group) * kStoredBlock;
  }
  void copyRow(int64_t from, int64_t to) {
    std::copy_n(block(from, 0), kGroups * kStoredBlock, block(to, 0));
  }
};

/// Weights about normal in each group, activations of many sizes.
Case random(std::string name, uint32_t seed) {
  Case made;
  made.name = std::move(name);
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  for (int64_t row = 0; row < kRows; ++row)
    for (int64_t group = 0; group < kGroups; ++group) {
      uint8_t *block = made.block(row, group);
      store(block, f32ToF16(0.001f * (0.5f + std::fabs(normal(generator)))));
      for (int64_t i = 0; i < 32; ++i)
        block[2 + i] = uint8_t(
            int8_t(std::clamp(40 * normal(generator), -127.0f, 127.0f)));
    }
  for (int8_t &value : made.x.values)
    value = int8_t(std::clamp(50 * normal(generator), -127.0f, 127.0f));
  for (float &scale : made.x.scales)
    scale = 0.1f * std::exp(normal(generator));
  made.x.addUp();
  return made;
}

/// Makes the row's score the largest by giving it the activations' signs.
void align(Case &made, int64_t row, int8_t size) {
  for (int64_t group = 0; group < kGroups; ++group)
    for (int64_t i = 0; i < 32; ++i)
      made.block(row, group)[2 + i] = uint8_t(
          made.x.values[size_t(32 * group + i)] < 0 ? int8_t(-size) : size);
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (uint32_t seed = 0; seed < 20; ++seed)
    list.push_back(random("random", seed));

  Case one = random("one row above all", 30);
  align(one, 321, 100);
  list.push_back(one);

  // The largest score many times over, and off by the least step.
  Case ties = random("ties", 31);
  align(ties, 77, 90);
  for (int64_t row : {3, 200, 333, 489, 495})
    ties.copyRow(77, row);
  list.push_back(ties);
  ties.name = "near ties";
  for (int64_t row : {3, 200, 489})
    ties.block(row, row % kGroups)[2 + row % 32] += 1;
  ties.block(495, 0)[2] ^= 0x40; // not eligible
  list.push_back(ties);

  // The coarse copy of one row flatters, that of the other does the opposite.
  Case flattered = random("flattered", 32);
  for (int64_t row : {10, 400})
    for (int64_t group = 0; group < kGroups; ++group)
      for (int64_t i = 0; i < 32; ++i) {
        const bool negative = flattered.x.values[size_t(32 * group + i)] < 0;
        // 64 and 79 are the ends of one step; so are -64 and -49.
        const int value =
            negative ? (row == 10 ? -49 : -50) : (row == 10 ? 64 : 65);
        flattered.block(row, group)[2 + i] = uint8_t(int8_t(value));
      }
  list.push_back(flattered);

  Case equal = random("all rows equal", 33);
  for (int64_t row = 1; row < kRows; ++row)
    equal.copyRow(0, row);
  list.push_back(equal);

  Case nothing = random("all weights zero", 34);
  std::fill(nothing.stored.begin(), nothing.stored.end(), 0);
  list.push_back(nothing);

  Case still = random("no activations", 35);
  std::fill(still.x.values.begin(), still.x.values.end(), 0);
  still.x.addUp();
  list.push_back(still);

  for (auto [name, half] : {std::pair("largest scales", 0x7bff),
                            std::pair("smallest scales", 0x0001)}) {
    Case extreme = random(name, 36);
    for (int64_t row = 0; row < kRows; row += 3)
      for (int64_t group = 0; group < kGroups; ++group)
        store(extreme.block(row, group), uint16_t(half | (row % 2) << 15));
    list.push_back(extreme);
  }
  for (float factor :
       {1e-30f, 1e-40f, 1e30f, 1e38f, std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    Case scaled = random("activations times " + std::to_string(factor), 37);
    for (float &scale : scaled.x.scales)
      scale *= factor;
    list.push_back(scaled);
  }
  Case lowest = random("quants of -128", 38);
  for (int64_t row = 0; row < kRows; row += 2)
    for (int64_t i = 0; i < 32; ++i)
      lowest.block(row, i % kGroups)[2 + i] = 0x80;
  list.push_back(lowest);
  return list;
}

class Screen : public testing::Test {
protected:
  static KernelSymbol symbol(const std::string &text) {
    return *KernelSymbol::parse(text);
  }
  Screen()
      : full(symbol("qk_linear__q8g32_q8g32__k384_n500_m64_t1__" + target +
                    "_p1x1x1x0x32x0")),
        coarse(symbol("qk_linear_coarse__q8g32s_q8g32__k384_n500_m64_t1__" +
                      target + "_p1x1x1x0x32")),
        least(symbol("qk_score_floor__q8g32s_q8g32__k384_v490_n500_t1__" +
                     target + "_p1")),
        rescore(symbol("qk_linear_rescore__q8g32s_q8g32__k384_n500_m64_t1__" +
                       target + "_p1")),
        library({full, coarse, least, rescore}, 1) {
    for (const std::string &failure : library.failures())
      ADD_FAILURE() << failure;
  }

  /// Calls a kernel with these hosts; T comes before the last, of the floor
  /// rank and margin too.
  void call(const KernelSymbol &which, std::vector<void *> hosts, int rank = 0,
            int margin = 0) const {
    std::vector<halide_buffer_t> buffers(hosts.size());
    std::vector<halide_buffer_t *> b;
    for (size_t i = 0; i < hosts.size(); ++i) {
      buffers[i].host = static_cast<uint8_t *>(hosts[i]);
      b.push_back(&buffers[i]);
    }
    void *function = library.find(which);
    ASSERT_NE(function, nullptr) << which.str();
    b.resize(10);
    auto with = [&]<typename... Args>(Args... args) {
      reinterpret_cast<int (*)(Args...)>(function)(args...);
    };
    switch (hosts.size()) {
    case 6:
      return with(b[0], b[1], b[2], b[3], b[4], 1, b[5]);
    case 9:
      return with(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], 1, rank,
                  margin, b[8]);
    case 10:
      return with(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], 1,
                  b[9]);
    default:
      FAIL();
    }
  }

  /// The full head's scores and the coarse ones, of every row.
  void scores(Rows &x, Packed &exact, Packed &split, std::vector<float> &all,
              std::vector<float> &rough) {
    for (int64_t row = 0; row < kPadded; row += kChunk) {
      call(full, {x.values.data(), x.scales.data(), x.sums.data(),
                  exact.at(0, row), exact.at(1, row), &all[size_t(row)]});
      call(coarse, {x.values.data(), x.scales.data(), x.sums.data(),
                    split.at(0, row), split.at(1, row), &rough[size_t(row)]});
    }
  }

  std::string target = [] {
    const KernelCatalog catalog = makeCatalog();
    return catalog.host()->name;
  }();
  KernelSymbol full, coarse, least, rescore;
  SharedObject library;
};

int64_t best(const std::vector<float> &scores) {
  return std::max_element(scores.begin(), scores.begin() + kEligible) -
         scores.begin();
}

TEST_F(Screen, GivesTheFullHeadsTokenAndBits) {
  int64_t closed = 0;
  for (Case &made : cases())
    for (auto [rank, margin] : {std::pair(0, 0), std::pair(0, 300),
                                std::pair(8, 1 << 20), std::pair(8, 100)}) {
      SCOPED_TRACE(made.name + ", rank " + std::to_string(rank) + ", margin " +
                   std::to_string(margin));
      Packed exact("q8g32", made.stored), split("q8g32s", made.stored);
      Rows &x = made.x;
      std::vector<float> all(9 * kPadded), rough(9 * kPadded), few(9 * kPadded),
          floor(9 * 16);
      scores(x, exact, split, all, rough);
      call(least,
           {rough.data(), x.values.data(), x.scales.data(), x.sums.data(),
            split.at(0, 0), split.at(1, 0), split.at(2, 0), split.at(3, 0),
            floor.data()},
           rank, margin);
      for (int64_t row = 0; row < kPadded; row += kChunk)
        call(rescore, {&rough[size_t(row)], floor.data(), x.values.data(),
                       x.scales.data(), x.sums.data(), split.at(0, row),
                       split.at(1, row), split.at(2, row), split.at(3, row),
                       &few[size_t(row)]});

      for (int64_t n = 0; n < kRows; ++n) {
        const bool left =
            few[size_t(n)] == kLowest && all[size_t(n)] != kLowest;
        closed += left;
        if (left)
          ASSERT_LT(all[size_t(n)], floor[0]) << n;
        else
          ASSERT_EQ(std::bit_cast<uint32_t>(few[size_t(n)]),
                    std::bit_cast<uint32_t>(all[size_t(n)]))
              << n;
      }
      if (!std::isnan(all[0]) && rank == 0)
        ASSERT_EQ(best(few), best(all));
      // The margin is of the best score, or the rank's guess is higher.
      if (rank == 0 && margin > 0 && made.name == "one row above all")
        EXPECT_FLOAT_EQ(floor[0], all[size_t(best(all))] - 300 / 256.0f);
      if (rank > 0 && made.name == "random") {
        int64_t reach = 0;
        for (int64_t n = 0; n < kEligible; ++n)
          reach += rough[size_t(n)] >= floor[0];
        EXPECT_TRUE(margin == 100 || (reach >= 8 && reach < 24)) << reach;
      }
    }
  // It does leave rows out.
  EXPECT_GT(closed, 10 * kRows);
}

TEST_F(Screen, CoarseScoresAreWithinTheBound) {
  double closest = 0;
  for (Case &made : cases()) {
    SCOPED_TRACE(made.name);
    Packed exact("q8g32", made.stored), split("q8g32s", made.stored);
    Rows &x = made.x;
    if (!(x.scales[0] < 1e20f))
      continue;
    std::vector<float> all(9 * kPadded), rough(9 * kPadded);
    scores(x, exact, split, all, rough);
    for (int64_t n = 0; n < kRows; ++n) {
      const PackedPanel planes = panelBlocks<const uint8_t>(
          split.format, split.bytes.data(), kPadded, kInner, n / 16);
      double bound = 0;
      for (int64_t block = 0; block < kInner / 128; ++block) {
        double squares = 0;
        for (int64_t k = 128 * block; k < 128 * (block + 1); ++k)
          squares += std::pow(double(x.values[size_t(k)]) *
                                  double(x.scales[size_t(k / 32)]),
                              2);
        bound +=
            split.format.boundValue(planes, n % 16, block) * std::sqrt(squares);
      }
      const double error =
          std::fabs(double(all[size_t(n)]) - double(rough[size_t(n)]));
      ASSERT_LE(error, bound + 0x1p-100) << n;
      if (bound > 0)
        closest = std::max(closest, error / bound);
    }
  }
  // Aligned rows come near it: it is no bound that nothing can break.
  EXPECT_GT(closest, 0.3);
}

} // namespace
} // namespace qwen::codegen
