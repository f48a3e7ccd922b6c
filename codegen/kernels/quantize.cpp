// quantize.cpp - rows of f32 as q8g32: i8 values with one f32 scale for every
// 32 and the sum of the values for every 16.
//
// Shapes    x [T, K], xq i8 [T, K], xs f32 [T, K/32], xsum i16 [T, K/16]
// Numerics  scale = max|x| / 127, value = round half even(x * (1 / scale)); a
// group too small to scale is all zero
#include "codegen/kernels/Math.h"
#include "codegen/kernels/Trial.h"

#include <algorithm>

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = context.dim("k"), groups = width / 32;
  const ImageParam x = context.rows("x", width);
  context.addTokens();
  Var k("k"), group("group"), lane("lane"), token("token");
  RDom all(0, 16, "all");
  Func largest("largest"), peak("peak"), xq("xq"), xs("xs"), xsum("xsum");

  largest(lane, group, token) = max(abs(x(group * 32 + lane, token)),
                                    abs(x(group * 32 + 16 + lane, token)));
  peak(group, token) =
      treeMax([&](int i) -> Expr { return largest(i, group, token); });
  xs(group, token) = peak(group, token) / 127.0f;
  Expr inverse = inverseScale(xs(k / 32, token));
  xq(k, token) = cast<int8_t>(cast<int32_t>(round(x(k, token) * inverse)));
  Func sum("sum");
  sum(group, token) = 0;
  sum(group, token) += cast<int32_t>(xq(group * 16 + all, token));
  xsum(group, token) = cast<int16_t>(sum(group, token));

  context.output(xq, {{width, 1}, {context.tokens(), rowStride(width)}});
  context.output(xs, {{groups, 1}, {context.tokens(), rowStride(groups)}});
  context.output(xsum,
                 {{2 * groups, 1}, {context.tokens(), halfSumStride(width)}});

  xs.bound(group, 0, groups);
  const int lanes = context.knob("lanes");
  largest.compute_at(xs, group)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, 16)
      .vectorize(lane, std::min(lanes, 16))
      .unroll(lane);
  peak.compute_at(xs, group).store_in(MemoryType::Stack);
  Var element("element");
  xq.bound(k, 0, width)
      .split(k, group, element, 32)
      .vectorize(element, lanes)
      .unroll(element);
  xsum.bound(group, 0, 2 * groups);
  sum.compute_at(xsum, group).store_in(MemoryType::Stack);
  sum.update().atomic().vectorize(all);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t g = 0; g < trial.dim("k") / 32; ++g) {
      double peak = 0;
      for (int64_t k = 32 * g; k < 32 * g + 32; ++k)
        peak = std::max(peak, std::fabs(trial.in("x", t, k)));
      const double scale = peak / 127;
      trial.out("xs", t, g, scale, kEpsilon * scale);
      // An integer next to the ratio: half a step, and the ratio's own error of
      // a few ulp of 127.
      for (int64_t k = 32 * g; k < 32 * g + 32; ++k)
        trial.out("xq", t, k, peak > 0 ? trial.in("x", t, k) / scale : 0,
                  0.5 + 4 * 127 * kEpsilon);
      for (int64_t half = 2 * g; half < 2 * g + 2; ++half) {
        double sum = 0;
        for (int64_t k = 16 * half; k < 16 * half + 16; ++k)
          sum += trial.result("xq", t, k);
        trial.out("xsum", t, half, sum, 0);
      }
    }
}

} // namespace

namespace kernel {

Kernel quantize() {
  return {
      .interface = {.name = "quantize",
                    .options = {},
                    .dims = {"k", "t"},
                    .multiples = {{"k", 32}},
                    .operands = {operand("x", "rows", "k"), scalar("T", "i32"),
                                 output("act", "quantized", "k")},
                    // Values of a vector: what the target has, or less.
                    .knobs = {{.name = "lanes",
                               .values = {8, 16, 32},
                               .one = 8,
                               .many = 8}}},
      .build = build,
      .reference = reference,
      .cases = {{"row", {{"k", 896}}}, {"one_group", {{"k", 32}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
