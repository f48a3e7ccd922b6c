// ParametersTest.cpp - parameters are read whole, in blocks, and once where
// there is room.
// Run: build/bin/unit_passes_reference --gtest_filter='Parameters*'
#include "passes/reference/Parameters.h"

#include <gtest/gtest.h>

namespace qwen::reference {
namespace {

/// A [rows, 2] matrix whose row n is {n, -n}, and how often it was read.
struct Counted {
  int64_t reads = 0;

  ParameterSource source() {
    return [this](llvm::StringRef name, int64_t row0, int64_t rows,
                  std::vector<double> &values) {
      ++reads;
      values.clear();
      for (int64_t n = row0; n < row0 + rows; ++n) {
        values.push_back(double(n));
        values.push_back(-double(n));
      }
      return name == "w";
    };
  }
};

double sumOfRows(Parameters &parameters, int64_t rows) {
  double sum = 0;
  int64_t next = 0;
  EXPECT_TRUE(
      parameters.forEachRow("w", rows, 2, [&](int64_t n, const double *row) {
        EXPECT_EQ(n, next++);
        EXPECT_EQ(row[1], -double(n));
        sum += row[0];
      }));
  EXPECT_EQ(next, rows);
  return sum;
}

TEST(Parameters, AllRowsAreVisitedInOrder) {
  Counted counted;
  Parameters parameters(counted.source(), 0);
  EXPECT_EQ(sumOfRows(parameters, 130), 129 * 130 / 2);
  EXPECT_EQ(counted.reads, 3); // blocks of 64
}

TEST(Parameters, WhatFitsIsReadOnce) {
  Counted counted;
  Parameters parameters(counted.source(), 130 * 2 * 4);
  sumOfRows(parameters, 130);
  int64_t reads = counted.reads;
  EXPECT_EQ(sumOfRows(parameters, 130), 129 * 130 / 2);
  std::vector<double> row;
  ASSERT_TRUE(parameters.row("w", 7, 2, row));
  EXPECT_EQ(row, (std::vector<double>{7, -7}));
  EXPECT_EQ(counted.reads, reads);
}

TEST(Parameters, WhatDoesNotFitIsReadAgain) {
  Counted counted;
  Parameters parameters(counted.source(), 130 * 2 * 4 - 1);
  sumOfRows(parameters, 130);
  sumOfRows(parameters, 130);
  EXPECT_EQ(counted.reads, 6);
}

TEST(Parameters, FailuresOfTheSourceArePassedOn) {
  Counted counted;
  Parameters parameters(counted.source(), 0);
  auto ignore = [](int64_t, const double *) {};
  EXPECT_FALSE(parameters.forEachRow("other", 4, 2, ignore));
  // A source with rows of another width.
  EXPECT_FALSE(parameters.forEachRow("w", 4, 3, ignore));
  std::vector<double> row;
  EXPECT_FALSE(parameters.row("other", 0, 2, row));
  EXPECT_FALSE(parameters.row("w", 0, 3, row));
}

} // namespace
} // namespace qwen::reference
