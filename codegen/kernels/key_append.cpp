// key_append.cpp - writes rows into the key cache from `position` on.
//
// Shapes    x [T, G·C], cache [G][S/64][C][64], f32 or f16
#include "codegen/kernels/Kernel.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = context.dim("c"), heads = context.dim("g");
  const int64_t positions = context.dim("s");
  const ImageParam x =
      context.buffer("x", Float(32),
                     {{width, 1},
                      {heads, width},
                      {context.tokens(), rowStride(int64_t(heads) * width)}});
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
  const int64_t width = trial.dim("c");
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t n = 0; n < trial.dim("g") * width; ++n)
      trial.cacheKey(n / width, t, n % width, trial.in("x", t, n), 0);
}

} // namespace

namespace kernel {

Kernel key_append() {
  return {
      .interface = {.name = "key_append",
                    .options = {kvOption()},
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
