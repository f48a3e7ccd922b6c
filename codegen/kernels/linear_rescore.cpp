// linear_rescore.cpp - exact scores of the panels whose coarse scores leave
// open whether they reach the floor; minus infinity in the others, whose
// weights are not read. For a chunk of rows.
//
// Shapes    coarse [T, M of N], floor [T, 1], act [T, K], W [M of N, K], y [T,
// M of N]
// Numerics  a panel is left out when coarse + bound < floor in all its rows,
// with the bound rounded up
// Source    ARCHITECTURE.md, "The screened head"
#include "codegen/kernels/LinearCore.h"
#include "codegen/kernels/Trial.h"

#include <limits>

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// Slack for the roundings of the comparison itself. A norm and the sum over the
// blocks: a relative 2^-10, good for K up to 2^20. The last sum: 2^-22 of it.
// What underflows: less than 2^-51 in a norm and 2^-90 in a score.
constexpr float kNormSlack = 1 + 0x1p-10f, kNormFloor = 0x1p-51f;
constexpr float kSumSlack = 0x1p-22f, kSumFloor = 0x1p-90f;

void build(BuildContext &context) {
  const Format &format = context.format();
  const int panels = context.dim("m") / kPanelRows, inner = context.dim("k"),
            blocks = inner / int(format.boundGroup),
            groups = int(format.boundGroup) / 32;
  const int stride = int(rowStride(context.dim("n")));
  const ImageParam coarse = context.rows("coarse", context.dim("n"));
  const ImageParam lowest = context.rows("floor", 1);
  const Activations x = context.activations(inner);
  const PlaneParams weight = context.weight("W", inner, panels);
  context.addTokens();
  LinearCore core(context, weight, x, "acc", /*panelsAround=*/0);
  Var lane = core.lane, panel = core.panel, token = core.token, block("block"),
      group("group");

  Func squares("squares"), norm("norm"), most("most"), open("open"), y("y");
  RDom values(0, 32, "values"), parts(0, groups, "parts"),
      sums(0, blocks, "sums"), lanes(0, 16, "lanes"), all(0, panels, "all");
  squares(group, token) = 0;
  Expr value = cast<int32_t>(x.values(group * 32 + values, token));
  squares(group, token) += value * value;
  norm(block, token) = 0.0f;
  Expr at = block * groups + parts;
  norm(block, token) +=
      x.scale(at, token) * x.scale(at, token) * cast<float>(squares(at, token));
  most(lane, panel, token) = 0.0f;
  most(lane, panel, token) +=
      format.bound(weight, lane, sums, panel) *
      (sqrt(norm(sums, token)) * kNormSlack + kNormFloor);
  Func highest("highest");
  Expr sum = coarse(panel * 16 + lane, token) + most(lane, panel, token);
  highest(lane, panel, token) = sum + abs(sum) * kSumSlack + kSumFloor;
  // Not `>=`: what is no number must be looked at.
  open(panel, token) = 0;
  open(panel, token) +=
      select(highest(lanes, panel, token) < lowest(0, token), 0, 1);
  y(lane, panel, token) = kLowest;
  RDom each(0, panels, "each");
  each.where(open(each, token) != 0);
  y(lane, each, token) = core.acc(lane, each, token);
  context.output(y, {{16, 1}, {panels, 16}, {context.tokens(), stride}});

  y.bound(lane, 0, 16).bound(panel, 0, panels).vectorize(lane);
  y.update().reorder(lane, each, token).vectorize(lane);
  for (Func bounds : {squares, norm}) {
    bounds.compute_at(y, token).store_in(MemoryType::Stack);
    bounds.update().atomic();
  }
  squares.bound_extent(group, inner / 32)
      .vectorize(group, 4, TailStrategy::GuardWithIf);
  squares.update().vectorize(values);
  norm.bound_extent(block, blocks);
  // Known before the loop over panels, so that the products of a closed one are
  // skipped with their loads.
  open.compute_at(y, token)
      .store_in(MemoryType::Stack)
      .bound_extent(panel, panels);
  open.update().atomic().vectorize(lanes);
  for (Func lanesOf : {most, highest})
    lanesOf.compute_at(open, panel)
        .store_in(MemoryType::Stack)
        .bound_extent(lane, 16)
        .vectorize(lane);
  most.update().reorder(lane, sums).vectorize(lane);
  core.schedule({y, each}, 1, 1);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t first = 0; first < trial.dim("m"); first += kPanelRows) {
      bool open = false;
      for (int64_t n = first; n < first + kPanelRows; ++n)
        open |= trial.in("coarse", t, n) + trial.bound("W", t, n) >=
                trial.in("floor", t, 0);
      for (int64_t n = first; n < first + kPanelRows; ++n) {
        const Sum &sum = trial.product("W", t, n);
        trial.out("y", t, n, open ? sum.value : kLowest,
                  open ? sum.bound() : 0);
      }
    }
}

} // namespace

namespace kernel {

Kernel linear_rescore() {
  return {
      .interface = {.name = "linear_rescore",
                    .options = {screenFormatOption(), quantisedActOption()},
                    .dims = {"k", "n", "m", "t"},
                    .multiples = {{"m", 16}},
                    .operands = {operand("coarse", "rows", "n"),
                                 operand("floor", "rows", ""),
                                 operand("act", "act", "k"),
                                 operand("W", "weight", "m"),
                                 scalar("T", "i32"), output("y", "rows", "n")},
                    .knobs = {unrollKnob()}},
      .build = build,
      .reference = reference,
      .cases = {{"wide", {{"k", 512}, {"n", 144}, {"m", 144}}},
                {"smallest", {{"k", 128}, {"n", 16}, {"m", 16}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
