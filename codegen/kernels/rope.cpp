// rope.cpp - rotates each head of a row by its position.
//
// Shapes    x [T, h·C], rope [T, C] (C/2 cosines, C/2 sines), y [T, h·C]
// Numerics  x * cos + rotateHalf(x) * sin, each product rounded
// Source    HF transformers apply_rotary_pos_emb
#include "codegen/kernels/Kernel.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = context.dim("c"), heads = context.dim("h"),
            panels = width / 32;
  const Extents extents{{16, 1},
                        {panels, 16},
                        {2, width / 2},
                        {heads, width},
                        {context.tokens(), rowStride(int64_t(heads) * width)}};
  const ImageParam x = context.buffer("x", Float(32), extents);
  const ImageParam table = context.rows("rope", width);
  context.addTokens();
  Var lane("lane"), panel("panel"), half("half"), head("head"), token("token");
  Func y("y");
  Expr cosine = table(panel * 16 + lane, token),
       sine = table(width / 2 + panel * 16 + lane, token);
  Expr first = x(lane, panel, 0, head, token),
       second = x(lane, panel, 1, head, token);
  y(lane, panel, half, head, token) =
      select(half == 0, first * cosine - second * sine,
             second * cosine + first * sine);
  context.output(y, extents);
  y.bound(lane, 0, 16)
      .bound(panel, 0, panels)
      .bound(half, 0, 2)
      .bound(head, 0, heads);
  y.reorder(lane, half, panel, head, token).vectorize(lane).unroll(half);
}

void reference(Trial &trial) {
  const int64_t width = trial.dim("c"), half = width / 2;
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t n = 0; n < trial.dim("h") * width; ++n) {
      const int64_t c = n % width, column = c % half;
      const double other = trial.in("x", t, c < half ? n + half : n - half);
      const double a = trial.in("x", t, n) * trial.in("rope", t, column);
      const double b =
          (c < half ? -other : other) * trial.in("rope", t, half + column);
      trial.out("y", t, n, a + b,
                kEpsilon * (std::fabs(a) + std::fabs(b) + std::fabs(a + b)));
    }
}

} // namespace

namespace kernel {

Kernel rope() {
  return {.interface = {.name = "rope",
                        .options = {},
                        .dims = {"h", "c", "t"},
                        .multiples = {{"c", 32}},
                        .operands = {operand("x", "rows", "h*c"),
                                     operand("rope", "rope", "c"),
                                     scalar("T", "i32"),
                                     output("y", "rows", "h*c")},
                        .knobs = {}},
          .build = build,
          .reference = reference,
          .cases = {{"heads64", {{"h", 14}, {"c", 64}}},
                    {"heads32", {{"h", 1}, {"c", 32}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
