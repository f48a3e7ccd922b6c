// Screening.cpp - what steps save and cost is accounted for, so that it stops
// where it does not pay.
#include "runtime/core/Screening.h"

#include <algorithm>

namespace qwen {
namespace {

constexpr double kMostCredit = 2, kFirstCredit = 1;
constexpr int64_t kLongestPause = 1024;
// A choice that is not settled deepens the floor by so much. One that is takes
// back a part like what its rows cost of a step: rows double about where
// choices that must be made again halve, so together they cost least where they
// cost alike.
constexpr double kDeeper = 1.0, kBack = 0.7;

} // namespace

bool Screening::next() {
  if (stopped_)
    return false;
  if (pause_ > 0) {
    --pause_;
    return false;
  }
  ++steps_;
  return true;
}

void Screening::spend(double steps) {
  credit_ -= steps;
  if (credit_ >= kMostCredit) {
    credit_ = kMostCredit;
    nextPause_ = kPause;
  }
  if (credit_ < 0) {
    credit_ = kFirstCredit;
    pause_ = nextPause_;
    nextPause_ = std::min(2 * nextPause_, kLongestPause);
  }
}

void Screening::read(int64_t rows, int64_t rowBytes, int64_t otherBytes,
                     int64_t all) {
  rows_ += rows;
  rowsCost_ = static_cast<double>(rows * rowBytes) / static_cast<double>(all);
  spend(rowsCost_ + static_cast<double>(otherBytes) / static_cast<double>(all) -
        1);
}

Depth Screening::depth(const Depth &expected) {
  if (!(expected == expected_)) {
    expected_ = depth_ = expected;
    rank_ = static_cast<double>(expected.rank);
  }
  return depth_;
}

void Screening::settled(bool yes) {
  if (yes) {
    const double back = std::min(kBack * rowsCost_, 1.0);
    depth_.margin = std::max(depth_.margin - kDeeper * back, 0.0);
    rank_ = std::max(rank_ * (1 - 0.25 * back), 1.0);
  } else {
    ++missed_;
    depth_.margin = std::min(depth_.margin + kDeeper, kMostMargin);
    rank_ = std::min(rank_ * 1.25 + 1, static_cast<double>(kMostRank));
    spend(1);
  }
  depth_.rank = static_cast<int64_t>(rank_);
}

} // namespace qwen
