// HeadLinear.h - a linear whose epilogue sees whole heads: bias, then an
// optional RMSNorm of each head, then RoPE.
//
// Shapes    sum and rotated: (lane, panel, token), panel counted in the chunk;
// a head is C / 16 panels Numerics  RoPE as HF does: x * cos + rotateHalf(x) *
// sin, each product rounded
#pragma once

#include "codegen/kernels/LinearCore.h"
#include "codegen/kernels/Math.h"

namespace qwen::codegen {

class HeadLinear {
public:
  /// Declares the arguments of the linear in order, up to but without `w`.
  HeadLinear(BuildContext &context)
      : context(context), headPanels(context.dim("c") / int(kPanelRows)),
        sum("sum"), squares("squares"), inverse("inverse"),
        x(context.activations(context.dim("k"))),
        weight(context.weight("W", context.dim("k"),
                              context.dim("m") / kPanelRows)),
        core(context, weight, x, "acc", headPanels) {
    Halide::Expr value = core.acc(lane, panel, token);
    if (context.has("bias"))
      value += context.vec("bias", context.dim("m"))(panel * 16 + lane);
    sum(lane, panel, token) = value;
  }

  /// Declares `w`, when the norm is wanted, and the RoPE table.
  void declareRope() {
    if (context.has("norm"))
      norm = context.vec("w", context.dim("c"));
    rope = context.rows("rope", context.dim("c"));
  }

  /// Declares `eps`, when the norm is wanted.
  void declareEpsilon() {
    if (!context.has("norm"))
      return;
    using namespace Halide;
    Expr epsilon = context.scalarFloat("eps");
    Var head("head");
    RDom p(0, headPanels, "p");
    squares(lane, head, token) = 0.0f;
    Expr value = sum(lane, head * headPanels + p, token);
    squares(lane, head, token) =
        context.fma(value, value, squares(lane, head, token));
    Expr total =
        treeSum([&](int i) -> Expr { return squares(i, head, token); });
    inverse(head, token) =
        1.0f / sqrt(total / float(context.dim("c")) + epsilon);
  }

  /// The finished value of one half of a head: half 0 holds columns 0 .. C/2,
  /// pair counts panels inside a half.
  Halide::Expr rotated(Halide::Expr lane, Halide::Expr pair, Halide::Expr half,
                       Halide::Expr head, Halide::Expr token) const {
    using namespace Halide;
    const int halfPanels = headPanels / 2;
    Expr column = pair * 16 + lane;
    Expr cosine = rope(column, token),
         sine = rope(column + 16 * halfPanels, token);
    Expr first = normed(lane, pair, head, token),
         second = normed(lane, pair + halfPanels, head, token);
    return select(half == 0, first * cosine - second * sine,
                  second * cosine + first * sine);
  }

  /// Computes all of a head for a tile of tokens at `at`, a tile of panels at a
  /// time. `around` is the loop over heads, or over tiles of tokens where that
  /// is outside.
  void schedule(Halide::LoopLevel at, Halide::LoopLevel around) {
    using namespace Halide;
    const int tilePanels = context.knob("panels"),
              tileTokens = context.knob("tokens");
    Var panelTile("panelTile");
    sum.compute_at(at)
        .store_in(MemoryType::Stack)
        .bound_extent(lane, 16)
        .bound_extent(panel, headPanels);
    if (!context.oneToken())
      sum.bound_extent(token, tileTokens);
    sum.split(panel, panelTile, panel, tilePanels)
        .reorder(lane, panel, token, panelTile)
        .vectorize(lane)
        .unroll(panel)
        .unroll(token);
    core.schedule({sum, panelTile}, tilePanels, tileTokens, around);
    if (context.has("norm")) {
      squares.compute_at(at)
          .store_in(MemoryType::Stack)
          .bound_extent(lane, 16)
          .vectorize(lane);
      squares.update().vectorize(lane);
      inverse.compute_at(at).store_in(MemoryType::Stack);
      if (!context.oneToken()) {
        squares.bound_extent(squares.args()[2], tileTokens);
        inverse.bound_extent(inverse.args()[1], tileTokens);
      }
    }
  }

  BuildContext &context;
  const int headPanels;

private:
  Halide::Var lane{"lane"}, panel{"panel"}, token{"token"};
  Halide::Func sum, squares, inverse;
  Activations x;
  PlaneParams weight;
  LinearCore core;
  Halide::ImageParam norm, rope;

  Halide::Expr normed(Halide::Expr lane, Halide::Expr panel, Halide::Expr head,
                      Halide::Expr token) const {
    Halide::Expr value = sum(lane, head * headPanels + panel, token);
    if (!context.has("norm"))
      return value;
    return norm(panel * 16 + lane) * (value * inverse(head, token));
  }
};

/// The reference's finished value of column c of a head and its bound.
struct HeadValue {
  double value, bound;
};
HeadValue headReference(const class Trial &trial, int64_t t, int64_t head,
                        int64_t c);

} // namespace qwen::codegen
