// argmax.cpp - the column of the largest logit of each row, the lowest one when
// several are equal.
//
// Shapes    logits [T, ld(N)], of which columns below V are eligible; y i32 [T]
#include "codegen/kernels/Kernel.h"
#include "codegen/kernels/Trial.h"

#include <limits>

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int kLanes =
    64; // several vectors a step, so that comparisons overlap

void build(BuildContext &context) {
  const int eligible = context.dim("v"), width = context.dim("n"),
            steps = int(roundUp(eligible, kLanes)) / kLanes;
  const float lowest = -std::numeric_limits<float>::infinity();
  const ImageParam logits = context.rows("logits", width);
  context.addTokens();
  Var lane("lane"), token("token");
  RDom step(0, steps, "step"), lanes(0, kLanes, "lanes");
  Func peak("peak"), largest("largest"), first("first"), y("y");

  // Columns past the last eligible one repeat it: neither pass can then name
  // another.
  const auto columnAt = [&](Expr step, Expr lane) {
    Expr column = step * kLanes + lane;
    return eligible % kLanes ? min(column, eligible - 1) : column;
  };
  peak(lane, token) = lowest;
  peak(lane, token) =
      max(peak(lane, token), logits(columnAt(step, lane), token));
  largest(token) = lowest;
  largest(token) = max(largest(token), peak(lanes, token));
  Expr column = columnAt(step, lane);
  first(lane, token) = eligible - 1;
  first(lane, token) =
      min(first(lane, token), select(logits(column, token) == largest(token),
                                     column, eligible - 1));
  y(token) = eligible - 1;
  y(token) = min(y(token), first(lanes, token));
  context.output(y, {{context.tokens(), 1}});

  for (Func lanesOf : {peak, first}) {
    Var vector("vector");
    lanesOf.compute_at(y, token)
        .store_in(MemoryType::Stack)
        .bound_extent(lane, kLanes)
        .vectorize(lane, 16)
        .unroll(lane);
    lanesOf.update()
        .split(lane, vector, lane, 16)
        .reorder(lane, vector, step)
        .vectorize(lane)
        .unroll(vector);
  }
  largest.compute_at(y, token).store_in(MemoryType::Stack);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t) {
    int64_t best = 0;
    for (int64_t n = 1; n < trial.dim("v"); ++n)
      if (trial.in("logits", t, n) > trial.in("logits", t, best))
        best = n;
    trial.out("y", 0, t, double(best), 0);
  }
}

} // namespace

namespace kernel {

Kernel argmax() {
  return {
      .interface = {.name = "argmax",
                    .options = {},
                    .dims = {"v", "n", "t"},
                    .multiples = {},
                    .operands = {operand("logits", "rows", "n"),
                                 scalar("T", "i32"), output("y", "ids", "")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"ragged", {{"v", 1001}, {"n", 1040}}},
                {"whole", {{"v", 640}, {"n", 640}}},
                {"few", {{"v", 5}, {"n", 16}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
