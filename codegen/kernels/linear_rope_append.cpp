// linear_rope_append.cpp - rope(norm(x · Wᵀ + bias)) written into the key
// cache, for a chunk of whole heads.
//
// Shapes    act [T, K], W [M of G·C, K], w [C], rope [T, C], cache
// [M/C][S/64][C][64], f32 or f16 Source    HF transformers Qwen2Attention and
// Qwen3Attention: k_proj, k_norm, apply_rotary_pos_emb, cache update
#include "codegen/kernels/HeadLinear.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = context.dim("c"), halfPanels = width / 32,
            heads = context.dim("m") / width;
  const int64_t positions = context.dim("s");
  HeadLinear linear(context);
  linear.declareRope();
  context.addTokens();
  Expr position = context.scalarInt("position");
  linear.declareEpsilon();
  Var within("within"), lane("lane"), pair("pair"), half("half"),
      block("block"), head("head");
  Func keys("keys");
  RDom row(0, context.tokens(), "row");
  Expr at = position + row;
  keys(within, lane, pair, half, block, head) = undef(context.cacheType());
  keys(at % 64, lane, pair, half, at / 64, head) =
      cast(context.cacheType(), linear.rotated(lane, pair, half, head, row));
  context.output(keys, {{64, 1},
                        {16, 64},
                        {halfPanels, 16 * 64},
                        {2, width / 2 * 64},
                        {int(positions / 64), 64 * width},
                        {heads, positions * width}});

  // Only rows below T may be written: a cache has no spare rows.
  keys.bound(lane, 0, 16)
      .bound(pair, 0, halfPanels)
      .bound(half, 0, 2)
      .bound(head, 0, heads);
  RVar rowTile("rowTile"), rowIn("rowIn");
  keys.update()
      .split(row, rowTile, rowIn, context.knob("tokens"),
             TailStrategy::GuardWithIf)
      .reorder(lane, half, pair, rowIn, rowTile, head)
      .vectorize(lane)
      .unroll(half)
      .unroll(pair);
  linear.schedule({keys, rowTile}, {keys, head});
}

void reference(Trial &trial) {
  const int64_t width = trial.dim("c");
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t n = 0; n < trial.dim("m"); ++n) {
      const HeadValue right = headReference(trial, t, n / width, n % width);
      trial.cacheKey(n / width, t, n % width, right.value, right.bound);
    }
}

} // namespace

namespace kernel {

Kernel linear_rope_append() {
  return {
      .interface = {.name = "linear_rope_append",
                    .options = {formatOption(), actOption(), kvOption(),
                                flagOption("bias"), flagOption("norm")},
                    .dims = {"k", "m", "c", "s", "t"},
                    .multiples = {{"c", 32}, {"s", 64}},
                    .operands = {operand("act", "act", "k"),
                                 operand("W", "weight", "m"),
                                 operand("bias", "vec", "m", "bias"),
                                 operand("w", "vec", "c", "norm"),
                                 operand("rope", "rope", "c"),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 scalar("eps", "f32", "norm"),
                                 output("keys", "keys", "")},
                    .knobs = linearKnobs("c")},
      .build = build,
      .reference = reference,
      .cases = {{"heads64",
                 {{"k", 1024}, {"m", 128}, {"c", 64}, {"s", 192}},
                 62},
                {"heads32", {{"k", 256}, {"m", 32}, {"c", 32}, {"s", 64}}, 0}},
      .products = [](const Trial &trial) {
        return trial.tokens() * trial.dim("m") * trial.dim("k");
      }};
}

} // namespace kernel
} // namespace qwen::codegen
