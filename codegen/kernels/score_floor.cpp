// score_floor.cpp - a score that the best one reaches: the largest exact score
// in the panel of the row whose coarse score is largest.
//
// Shapes    coarse [T, N], of which columns below V are eligible; act [T, K], W
// [N, K]; y [T, 1]
// Source    ARCHITECTURE.md, "The screened head"
#include "codegen/kernels/LinearCore.h"
#include "codegen/kernels/Trial.h"

#include <limits>

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr float kLowest = -std::numeric_limits<float>::infinity();

void build(BuildContext &context) {
  const int eligible = context.dim("v"),
            panels = int(roundUp(context.dim("n"), kPanelRows) / kPanelRows),
            used = int(roundUp(eligible, kPanelRows) / kPanelRows);
  const ImageParam coarse = context.rows("coarse", context.dim("n"));
  const Activations x = context.activations(context.dim("k"));
  const PlaneParams weight = context.weight("W", context.dim("k"), panels);
  context.addTokens();
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
                                  exact(lanes, token), kLowest));
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
    trial.out("y", t, 0, value, bound);
  }
}

} // namespace

namespace kernel {

Kernel score_floor() {
  return {
      .interface = {.name = "score_floor",
                    .options = {screenFormatOption(), quantisedActOption()},
                    .dims = {"k", "v", "n", "t"},
                    .multiples = {},
                    .operands = {operand("coarse", "rows", "n"),
                                 operand("act", "act", "k"),
                                 operand("W", "weight", "n"),
                                 scalar("T", "i32"), output("y", "rows", "")},
                    .knobs = {unrollKnob()}},
      .build = build,
      .reference = reference,
      .cases = {{"ragged", {{"k", 512}, {"v", 121}, {"n", 130}}},
                {"few", {{"k", 128}, {"v", 5}, {"n", 16}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
