// key_append.cpp - writes rows into the key cache from `position` on.
//
// Shapes    x [T, G·C], cache [G][S/64][C][64], f32 or f16, or planes of
// integers (cache_layout.h)
#include "codegen/kernels/CodedRows.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void buildCoded(BuildContext &context, const CacheCode &code) {
  const int width = context.dim("c"), heads = context.dim("g"),
            positions = context.dim("s"), blocks = positions / 64;
  const int slow = int(slowHalf(&code, width)), fast = width / 2 - slow,
            run = int(code.run);
  const ImageParam x =
      context.buffer("x", Float(32), context.halfHeadRows(width, heads, heads));
  context.addTokens();
  Expr position = context.scalarInt("position");
  Var one("one"), within("within"), group("group"), block("block");
  RDom row(0, context.tokens(), "row");
  Expr at = position + row;
  CodedRows coded(code, x, fast);
  const Var &i = coded.i, &half = coded.half, &head = coded.head;
  Func keys("keys");
  keys(one, within, group, half, block, head) = undef(coded.type);
  keys(one, at % 64, group, half, at / 64, head) =
      coded.integer(group * run + one, half, row);
  context.output(keys, {{run, 1},
                        {64, run},
                        {fast / run, run * 64},
                        {2, fast * 64},
                        {blocks, 2 * fast * 64},
                        {heads, 2 * fast * positions}});
  keys.bound(one, 0, run)
      .bound(group, 0, fast / run)
      .bound(half, 0, 2)
      .bound(head, 0, heads)
      .update()
      .reorder(one, group, half, head, row)
      .vectorize(one);
  if (slow > 0) {
    Func kept("kept");
    kept(within, i, half, block, head) = undef(Float(16));
    kept(at % 64, i, half, at / 64, head) =
        cast<float16_t>(x(fast + i, half, head, row));
    context.output(kept, {{64, 1},
                          {slow, 64},
                          {2, slow * 64},
                          {blocks, 2 * slow * 64},
                          {heads, 2 * slow * positions}});
    kept.bound(i, 0, slow)
        .bound(half, 0, 2)
        .bound(head, 0, heads)
        .update()
        .reorder(i, half, head, row)
        .vectorize(i, 4);
  }
  coded.finish(context, keys, row, at);
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
  Var within("within"), c("c"), block("block"), head("head");
  RDom row(0, context.tokens(), "row");
  Expr at = position + row;
  Func keys("keys");
  keys(within, c, block, head) = undef(context.cacheType());
  keys(at % 64, c, at / 64, head) = cast(context.cacheType(), x(c, head, row));
  context.output(keys, {{64, 1},
                        {width, 64},
                        {int(positions / 64), 64 * width},
                        {heads, positions * width}});
  keys.bound(c, 0, width)
      .bound(head, 0, heads)
      .update()
      .reorder(c, head, row)
      .vectorize(c, 16);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t head = 0; head < trial.dim("g"); ++head)
      trial.cacheRow(/*keys=*/true, head, t);
}

} // namespace

namespace kernel {

Kernel key_append() {
  return {
      .interface = {.name = "key_append",
                    .options = {anyKvOption()},
                    .dims = {"g", "c", "s", "t"},
                    .multiples = {{"c", 16}, {"s", 64}},
                    .operands = {operand("x", "rows", "g*c"),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 output("keys", "keys", "")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"two_heads", {{"g", 2}, {"c", 64}, {"s", 192}}, 62},
                {"one_head", {{"g", 1}, {"c", 32}, {"s", 64}}, 0}}};
}

} // namespace kernel
} // namespace qwen::codegen
