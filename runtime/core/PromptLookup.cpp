// PromptLookup.cpp - the longest repeated ending, and the account of drafts.
#include "runtime/core/PromptLookup.h"

#include <algorithm>

namespace qwen {
namespace {

// What the first draft is taken to cost beyond a step over one token, in such
// steps: a step over few reads the weights once too, and computes more.
constexpr double kFirstExtra = 0.5;
// Steps over one token that drafts may lose at first, and for every token.
constexpr double kFirstCredit = 2, kCredit = 1.0 / 40;
// Savings kept for later misses, in steps over one token: a text that stops
// repeating itself is not slowed down for long.
constexpr double kMostSaved = 8;

double mean(double old, double seconds) {
  return old == 0 ? seconds : old + (seconds - old) / 8;
}

} // namespace

PromptLookup::PromptLookup(int64_t context, int64_t rows, When when)
    : when_(when), longest_(std::min(kLongest, rows - 1)),
      length_(std::min(kShortest, longest_)) {
  history_.reserve(static_cast<size_t>(context) + 1);
  draft_.reserve(static_cast<size_t>(kLongest));
}

void PromptLookup::see(std::span<const int32_t> ids) {
  history_.insert(history_.end(), ids.begin(), ids.end());
}

bool PromptLookup::affordable() const {
  if (when_ != When::kWhileItPays)
    return when_ == When::kAlways;
  // Without a step over one token there is nothing to compare with.
  return single_ > 0 &&
         balance_ >= (extra_ > 0 ? extra_ : kFirstExtra * single_);
}

std::span<const int32_t> PromptLookup::propose(int64_t most) {
  draft_.clear();
  const auto end = static_cast<int64_t>(history_.size());
  most = std::min(most, length_);
  if (most < 1 || !affordable())
    return draft_;
  int64_t best = kFewestSame - 1, start = 0;
  for (int64_t after = end - 1; after > best && best < kMostSame; --after) {
    int64_t same = 0;
    while (same < kMostSame && same < after &&
           history_[static_cast<size_t>(after - 1 - same)] ==
               history_[static_cast<size_t>(end - 1 - same)])
      ++same;
    if (same > best) {
      best = same;
      start = after;
    }
  }
  if (start == 0)
    return draft_;
  // What is drafted may run into itself: a text that repeats goes on.
  for (int64_t i = 0; i < most; ++i)
    draft_.push_back(start + i < end
                         ? history_[static_cast<size_t>(start + i)]
                         : draft_[static_cast<size_t>(start + i - end)]);
  return draft_;
}

void PromptLookup::decoded(double seconds) {
  if (steps_ == 0)
    balance_ = kFirstCredit * seconds;
  ++steps_;
  single_ = mean(single_, seconds);
  balance_ = std::min(balance_ + kCredit * single_, kMostSaved * single_);
}

void PromptLookup::verified(int64_t drafted, int64_t accepted, double seconds) {
  ++steps_;
  drafted_ += drafted;
  accepted_ += accepted;
  if (drafted <= kShortest)
    extra_ = mean(extra_, std::max(0.0, seconds - single_));
  const auto tokens = static_cast<double>(accepted + 1);
  balance_ = std::min(balance_ + tokens * (1 + kCredit) * single_ - seconds,
                      kMostSaved * single_);
  length_ = accepted == drafted ? std::min(2 * drafted + 1, longest_)
                                : std::min(kShortest, longest_);
}

} // namespace qwen
