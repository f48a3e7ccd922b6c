// score_floor.cpp - the score below which rows need not be scored exactly: a
// margin below one that the best row reaches, which is the largest exact score
// in the panel of the row whose coarse score is largest. With a rank r > 0 it
// is no lower than a guess that about r rows reach: the r-th largest of the
// groups' largest coarse scores, with its last 16 bits rounded down.
//
// Shapes    coarse [T, N], of which columns below V are eligible, a group being
// the 16 whose number divided by 256 and modulo 16 are the same; act [T, K], W
// [N, K]; y [T, 1]
// Units     the margin in 256ths
// Source    ARCHITECTURE.md, "The screened head"
#include "codegen/kernels/LinearCore.h"
#include "codegen/kernels/Trial.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <vector>

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr float kLowest = -std::numeric_limits<float>::infinity();
constexpr int kGroupRows = 16, kSpan = 16 * kGroupRows;
constexpr int kKeyBits = 16; // of a score's 32: sign, exponent, 7 of mantissa

/// A float's bits as an integer in the order of the floats, and back.
Expr ordered(const Expr &bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }

/// The guess, by token: the key's bits are found from the highest, each by
/// counting the groups that reach the key with it.
Func guess(const ImageParam &coarse, int eligible, const Expr &rank,
           const Func &y, const Var &token) {
  const int spans = int(roundUp(eligible, kSpan) / kSpan);
  Var lane("lane"), span("span");
  RDom rows(0, kGroupRows, "rows"), all(0, spans, "all"), lanes(0, 16, "lanes");
  Func peak("groupPeak"), keys("keys");
  peak(lane, span, token) = kLowest;
  peak(lane, span, token) =
      max(peak(lane, span, token),
          coarse(min(span * kSpan + rows * 16 + lane, eligible - 1), token));
  keys(lane, span, token) =
      ordered(reinterpret<int32_t>(peak(lane, span, token)));
  peak.compute_at(keys, span)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, 16)
      .vectorize(lane);
  peak.update().reorder(lane, rows).vectorize(lane).unroll(rows);
  // Not on the stack by Halide's name for it, whose limit would put it on the
  // heap, which a kernel hasn't.
  keys.compute_at(y, token)
      .store_in(MemoryType::Register)
      .bound_extent(lane, 16)
      .bound_extent(span, spans)
      .vectorize(lane);

  Expr wanted = clamp(rank, 1, spans * 16);
  Func least("least");
  least(token) = std::numeric_limits<int32_t>::min();
  least.compute_at(y, token).store_in(MemoryType::Stack);
  for (int bit = 31; bit > 31 - kKeyBits; --bit) {
    Func reach("reach"), count("count"), next("least");
    // From the lowest number the first bit leads to 0, past the negative ones.
    Expr with = least(token) ^ Expr(int32_t(uint32_t(1) << bit));
    reach(lane, token) = 0;
    reach(lane, token) += select(keys(lane, all, token) >= with, 1, 0);
    count(token) = 0;
    count(token) += reach(lanes, token);
    next(token) = select(count(token) >= wanted, with, least(token));
    reach.compute_at(y, token)
        .store_in(MemoryType::Stack)
        .bound_extent(lane, 16)
        .vectorize(lane);
    reach.update().reorder(lane, all).vectorize(lane).unroll(all, 2);
    count.compute_at(y, token).store_in(MemoryType::Stack);
    count.update().atomic().vectorize(lanes);
    next.compute_at(y, token).store_in(MemoryType::Stack);
    least = next;
  }
  Func floor("guess");
  floor(token) = reinterpret<float>(ordered(least(token)));
  floor.compute_at(y, token).store_in(MemoryType::Stack);
  return floor;
}

void build(BuildContext &context) {
  const int eligible = context.dim("v"),
            panels = int(roundUp(context.dim("n"), kPanelRows) / kPanelRows),
            used = int(roundUp(eligible, kPanelRows) / kPanelRows);
  const ImageParam coarse = context.rows("coarse", context.dim("n"));
  const Activations x = context.activations(context.dim("k"));
  const PlaneParams weight = context.weight("W", context.dim("k"), panels);
  context.addTokens();
  const Expr rank = context.scalarInt("rank"),
             margin = cast<float>(context.scalarInt("margin")) / 256.0f;
  Var lane("lane"), token("token");

  // Any panel gives a floor; the first of several equal ones makes it one
  // number whatever the schedule.
  RDom step(0, used, "step"), lanes(0, 16, "lanes");
  Func peak("peak"), largest("largest"), first("first"), best("best"),
      chosen("chosen"), exact("exact"), y("y");
  const auto scoreAt = [&](Expr panel, Expr lane) {
    return coarse(min(panel * 16 + lane, eligible - 1), token);
  };
  peak(lane, token) = kLowest;
  peak(lane, token) = max(peak(lane, token), scoreAt(step, lane));
  largest(token) = kLowest;
  largest(token) = max(largest(token), peak(lanes, token));
  first(lane, token) = used - 1;
  first(lane, token) =
      min(first(lane, token),
          select(scoreAt(step, lane) == largest(token), step, used - 1));
  best(token) = used - 1;
  best(token) = min(best(token), first(lanes, token));
  chosen(token) = clamp(best(token), 0, used - 1);
  LinearCore core(context, weight, x, "acc", /*panelsAround=*/0, chosen);
  exact(lane, token) = core.acc(lane, 0, token);
  y(token) = kLowest;
  y(token) = max(y(token), select(best(token) * 16 + lanes < eligible,
                                  exact(lanes, token), kLowest) -
                               margin);
  // Not computed where no rank asks for it.
  RDom ranked(0, 1, "ranked");
  ranked.where(rank > 0);
  y(token) =
      max(y(token), guess(coarse, eligible, rank, y, token)(token + ranked));
  context.output(y, {{context.tokens(), 16}});

  for (Func lanesOf : {peak, first}) {
    lanesOf.compute_at(y, token)
        .store_in(MemoryType::Stack)
        .bound_extent(lane, 16)
        .vectorize(lane);
    lanesOf.update().reorder(lane, step).vectorize(lane);
  }
  for (Func one : {largest, best, chosen})
    one.compute_at(y, token).store_in(MemoryType::Stack);
  exact.compute_at(y, token)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, 16)
      .vectorize(lane);
  core.schedule({exact, token}, 1, 1);
}

/// The guess, by sorting.
float sortedGuess(const Trial &trial, int64_t t) {
  std::map<std::pair<int64_t, int64_t>, float> peaks;
  const int64_t eligible = trial.dim("v");
  for (int64_t n = 0; n < roundUp(eligible, kSpan); ++n) {
    const auto score = float(trial.in("coarse", t, std::min(n, eligible - 1)));
    auto [group, added] = peaks.try_emplace({n / kSpan, n % 16}, score);
    group->second = std::max(group->second, score);
  }
  std::vector<float> sorted;
  for (const auto &[group, peak] : peaks)
    sorted.push_back(peak);
  std::sort(sorted.rbegin(), sorted.rend());
  const float score =
      sorted[std::min<size_t>(size_t(trial.rank()), sorted.size()) - 1];
  // The largest of the floats with 16 bits of zeros, or a negative one's of
  // ones, that is not above it.
  auto bits = std::bit_cast<uint32_t>(score);
  bits = score < 0 ? bits | 0xffff : bits & 0xffff0000;
  return std::bit_cast<float>(bits);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t) {
    int64_t best = 0;
    for (int64_t n = 1; n < trial.dim("v"); ++n)
      if (trial.in("coarse", t, n) > trial.in("coarse", t, best))
        best = n;
    double value = -1e300, bound = 0;
    for (int64_t n = best / 16 * 16;
         n < std::min(best / 16 * 16 + 16, trial.dim("v")); ++n) {
      const Sum &sum = trial.product("W", t, n);
      value = std::max(value, sum.value);
      bound = std::max(bound, sum.bound());
    }
    value -= double(trial.margin()) / 256;
    bound += kEpsilon * std::fabs(value);
    if (trial.rank() > 0) {
      const double guess = sortedGuess(trial, t);
      bound = guess > value + bound ? 0 : bound;
      value = std::max(value, guess);
    }
    trial.out("y", t, 0, value, bound);
  }
}

} // namespace

namespace kernel {

Kernel score_floor() {
  return {.interface = {.name = "score_floor",
                        .options = {screenFormatOption(), quantisedActOption()},
                        .dims = {"k", "v", "n", "t"},
                        .multiples = {},
                        .operands = {operand("coarse", "rows", "n"),
                                     operand("act", "act", "k"),
                                     operand("W", "weight", "n"),
                                     scalar("T", "i32"), scalar("rank", "i32"),
                                     scalar("margin", "i32"),
                                     output("y", "rows", "")},
                        .knobs = {unrollKnob()}},
          .build = build,
          .reference = reference,
          .cases = {{"ragged", {{"k", 512}, {"v", 121}, {"n", 130}}},
                    {"few", {{"k", 128}, {"v", 5}, {"n", 16}}},
                    {"guess", {{"k", 128}, {"v", 1000}, {"n", 1000}}},
                    {"margin", {{"k", 128}, {"v", 6}, {"n", 16}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
