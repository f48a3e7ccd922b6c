// value_append.cpp - writes rows into the value cache from `position` on.
//
// Shapes    x [T, G·C], cache [G][S][C], f32 or f16, or planes of integers
// (cache_layout.h)
#include "codegen/kernels/CodedRows.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void buildCoded(BuildContext &context, const CacheCode &code) {
  const int width = context.dim("c"), heads = context.dim("g"),
            positions = context.dim("s"), run = int(code.run);
  const ImageParam x =
      context.buffer("x", Float(32), context.halfHeadRows(width, heads, heads));
  context.addTokens();
  Expr position = context.scalarInt("position");
  Var one("one"), group("group");
  RDom row(0, context.tokens(), "row");
  Expr at = position + row;
  CodedRows coded(code, x, width / 2);
  const Var &i = coded.i, &half = coded.half, &head = coded.head;
  Func values("values");
  values(one, i, half, group, head) = undef(coded.type);
  values(at % run, i, half, at / run, head) = coded.integer(i, half, row);
  context.output(values, {{run, 1},
                          {width / 2, run},
                          {2, run * width / 2},
                          {positions / run, run * width},
                          {heads, positions * width}});

  values.bound(i, 0, width / 2)
      .bound(half, 0, 2)
      .bound(head, 0, heads)
      .update()
      .reorder(i, half, head, row)
      .vectorize(i, coded.lanes);
  coded.finish(context, values, row, at);
}

void build(BuildContext &context) {
  if (const CacheCode *code = context.cacheCode())
    return buildCoded(context, *code);
  const int width = context.dim("c"), heads = context.dim("g");
  const int64_t positions = context.dim("s");
  const ImageParam x =
      context.buffer("x", Float(32), context.headRows(width, heads, heads));
  context.addTokens();
  Expr position = context.scalarInt("position");
  Var c("c"), place("place"), head("head");
  RDom row(0, context.tokens(), "row");
  Func values("values");
  values(c, place, head) = undef(context.cacheType());
  values(c, position + row, head) = cast(context.cacheType(), x(c, head, row));
  context.output(
      values,
      {{width, 1}, {int(positions), width}, {heads, positions * width}});
  values.bound(c, 0, width)
      .bound(head, 0, heads)
      .update()
      .reorder(c, head, row)
      .vectorize(c, 16);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t head = 0; head < trial.dim("g"); ++head)
      trial.cacheRow(/*keys=*/false, head, t);
}

} // namespace

namespace kernel {

Kernel value_append() {
  return {
      .interface = {.name = "value_append",
                    .options = {anyKvOption()},
                    .dims = {"g", "c", "s", "t"},
                    .multiples = {{"c", 16}, {"s", 64}},
                    .operands = {operand("x", "rows", "g*c"),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 output("values", "values", "")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"two_heads", {{"g", 2}, {"c", 64}, {"s", 192}}, 62},
                {"one_head", {{"g", 1}, {"c", 32}, {"s", 64}}, 0}}};
}

} // namespace kernel
} // namespace qwen::codegen
