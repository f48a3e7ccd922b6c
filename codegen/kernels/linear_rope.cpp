// linear_rope.cpp - y = rope(norm(x · Wᵀ + bias)), heads by heads, for a chunk
// of whole heads: queries.
//
// Shapes    act [T, K], W [M of N, K], w [C], rope [T, C], y [T, M of N]
// Source    HF transformers Qwen2Attention and Qwen3Attention: q_proj, q_norm,
// apply_rotary_pos_emb
#include "codegen/kernels/HeadLinear.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = context.dim("c"), halfPanels = width / 32,
            heads = context.dim("m") / width;
  HeadLinear linear(context);
  linear.declareRope();
  context.addTokens();
  linear.declareEpsilon();
  Var lane("lane"), pair("pair"), half("half"), head("head"), token("token");
  Func y("y");
  y(lane, pair, half, head, token) =
      linear.rotated(lane, pair, half, head, token);
  context.output(y, {{16, 1},
                     {halfPanels, 16},
                     {2, width / 2},
                     {heads, width},
                     {context.tokens(), rowStride(context.dim("n"))}});

  Var tokenTile("tokenTile");
  y.bound(lane, 0, 16)
      .bound(pair, 0, halfPanels)
      .bound(half, 0, 2)
      .bound(head, 0, heads);
  y.split(token, tokenTile, token, context.knob("tokens"),
          TailStrategy::RoundUp);
  const bool tokensOuter = LinearCore::tokensOutermost(context);
  const Var inner = tokensOuter ? head : tokenTile,
            outer = tokensOuter ? tokenTile : head;
  y.reorder(lane, half, pair, token, inner, outer)
      .vectorize(lane)
      .unroll(half)
      .unroll(pair);
  linear.schedule({y, inner}, {y, outer});
}

void reference(Trial &trial) {
  const int64_t width = trial.dim("c");
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t n = 0; n < trial.dim("m"); ++n) {
      const HeadValue right = headReference(trial, t, n / width, n % width);
      trial.out("y", t, n, right.value, right.bound);
    }
}

} // namespace

namespace kernel {

Kernel linear_rope() {
  return {
      .interface =
          {.name = "linear_rope",
           .options = {formatOption(), actOption(), flagOption("bias"),
                       flagOption("norm")},
           .dims = {"k", "n", "m", "c", "t"},
           .multiples = {{"c", 32}},
           .operands = {operand("act", "act", "k"), operand("W", "weight", "m"),
                        operand("bias", "vec", "m", "bias"),
                        operand("w", "vec", "c", "norm"),
                        operand("rope", "rope", "c"), scalar("T", "i32"),
                        scalar("eps", "f32", "norm"), output("y", "rows", "n")},
           .knobs = outputTileKnobs("c")},
      .build = build,
      .reference = reference,
      .cases = {{"heads64", {{"k", 1024}, {"n", 256}, {"m", 128}, {"c", 64}}},
                {"heads32", {{"k", 256}, {"n", 64}, {"m", 32}, {"c", 32}}}},
      .products = [](const Trial &trial) {
        return trial.tokens() * trial.dim("m") * trial.dim("k");
      }};
}

} // namespace kernel
} // namespace qwen::codegen
