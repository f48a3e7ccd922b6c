// argmax.cpp - the column of the largest logit of each row, the lowest one when several are equal.
//
// Shapes    logits [T, ld(N)], of which columns below V are eligible; y i32 [T]
#include "codegen/kernels/Kernel.h"
#include "codegen/kernels/Trial.h"

#include <limits>

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int kLanes = 64; // several vectors a step, so that comparisons overlap

void build(BuildContext &context) {
  const int eligible = context.dim("v"), width = context.dim("n"), steps = eligible / kLanes;
  const float lowest = -std::numeric_limits<float>::infinity();
  const ImageParam logits = context.rows("logits", width);
  context.addTokens();
  Var lane("lane"), token("token");
  RDom step(0, std::max(steps, 1), "step"), lanes(0, kLanes, "lanes");
  Func best("best"), winner("winner"), y("y");

  // Each lane keeps its first largest; a later equal value does not replace it.
  best(lane, token) = Tuple(lowest, lane);
  if (steps > 0) {
    Expr column = step * kLanes + lane;
    Expr value = logits(column, token);
    Expr better = value > best(lane, token)[0];
    best(lane, token) =
        Tuple(select(better, value, best(lane, token)[0]), select(better, column, best(lane, token)[1]));
  }
  if (eligible % kLanes) {
    Expr column = steps * kLanes + lane;
    Expr value = select(column < eligible, logits(min(column, eligible - 1), token), lowest);
    Expr better = value > best(lane, token)[0];
    best(lane, token) =
        Tuple(select(better, value, best(lane, token)[0]), select(better, column, best(lane, token)[1]));
  }
  winner(token) = Tuple(Expr(lowest), Expr(0));
  Expr value = best(lanes, token)[0], column = best(lanes, token)[1];
  Expr better = value > winner(token)[0] || (value == winner(token)[0] && column < winner(token)[1]);
  winner(token) = Tuple(select(better, value, winner(token)[0]), select(better, column, winner(token)[1]));
  y(token) = winner(token)[1];
  context.output(y, {{context.tokens(), 1}});

  winner.compute_at(y, token).store_in(MemoryType::Stack);
  best.compute_at(y, token).store_in(MemoryType::Stack).bound_extent(lane, kLanes).vectorize(lane, 16).unroll(lane);
  for (int i = 0; i < best.num_update_definitions(); ++i) {
    Stage update = best.update(i);
    Var vector("vector");
    update.split(lane, vector, lane, 16).vectorize(lane).unroll(vector);
    if (i == 0 && steps > 0)
      update.reorder(lane, vector, step);
  }
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
  return {.interface = {.name = "argmax",
                        .options = {},
                        .dims = {"v", "n", "t"},
                        .multiples = {},
                        .operands = {operand("logits", "rows", "n"), scalar("T", "i32"), output("y", "ids", "")},
                        .knobs = {}},
          .build = build,
          .reference = reference,
          .cases = {{"ragged", {{"v", 1001}, {"n", 1040}}},
                    {"whole", {{"v", 640}, {"n", 640}}},
                    {"few", {{"v", 5}, {"n", 16}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
