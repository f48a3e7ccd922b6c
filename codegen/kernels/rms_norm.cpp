// rms_norm.cpp - y = w * (x / sqrt(mean(x²) + eps)), for each of h slices of a
// row.
//
// Shapes    x [T, h·K], w [K], y [T, h·K]
// Numerics  mean of squares: 16 partial sums by fma, element k to k mod 16,
// then halves Source    HF transformers Qwen2RMSNorm; h > 1 is Qwen3's q_norm
// and k_norm
#include "codegen/kernels/Math.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = context.dim("k"), slices = context.dim("h"),
            panels = width / 16;
  const int64_t stride = rowStride(int64_t(width) * slices);
  const Extents extents{
      {16, 1}, {panels, 16}, {slices, width}, {context.tokens(), stride}};
  const ImageParam x = context.buffer("x", Float(32), extents);
  const ImageParam w = context.vec("w", width);
  context.addTokens();
  Expr epsilon = context.scalarFloat("eps");
  Var lane("lane"), panel("panel"), slice("slice"), token("token");
  Func squares("squares"), inverse("inverse"), y("y");
  RDom p(0, panels, "p");
  squares(lane, slice, token) = 0.0f;
  Expr value = x(lane, p, slice, token);
  squares(lane, slice, token) =
      context.fma(value, value, squares(lane, slice, token));
  Expr total = treeSum([&](int i) -> Expr { return squares(i, slice, token); });
  inverse(slice, token) = 1.0f / sqrt(total / float(width) + epsilon);
  y(lane, panel, slice, token) =
      w(panel * 16 + lane) *
      (x(lane, panel, slice, token) * inverse(slice, token));
  context.output(y, extents);

  y.bound(lane, 0, 16)
      .bound(panel, 0, panels)
      .bound(slice, 0, slices)
      .vectorize(lane);
  squares.compute_at(y, slice)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, 16)
      .vectorize(lane);
  squares.update().vectorize(lane);
  inverse.compute_at(y, slice).store_in(MemoryType::Stack);
}

void reference(Trial &trial) {
  const int64_t width = trial.dim("k");
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t h = 0; h < trial.dim("h"); ++h) {
      double squares = 0;
      for (int64_t k = 0; k < width; ++k)
        squares +=
            trial.in("x", t, h * width + k) * trial.in("x", t, h * width + k);
      const double inverse =
          1 / std::sqrt(squares / double(width) + trial.epsilon());
      for (int64_t k = 0; k < width; ++k) {
        const double y =
            trial.in("w", 0, k) * trial.in("x", t, h * width + k) * inverse;
        // All squares are positive: K/16 roundings a partial sum, averaging
        // out, and half of it after the root.
        trial.out("y", t, h * width + k, y,
                  kEpsilon * std::fabs(y) *
                      (2.0 + std::sqrt(double(width) / 16) / 2));
      }
    }
}

} // namespace

namespace kernel {

Kernel rms_norm() {
  return {.interface = {.name = "rms_norm",
                        .options = {},
                        .dims = {"k", "h", "t"},
                        .multiples = {{"k", 16}},
                        .operands = {operand("x", "rows", "h*k"),
                                     operand("w", "vec", "k"),
                                     scalar("T", "i32"), scalar("eps", "f32"),
                                     output("y", "rows", "h*k")},
                        .knobs = {}},
          .build = build,
          .reference = reference,
          .cases = {{"row", {{"k", 4864}, {"h", 1}}},
                    {"heads", {{"k", 64}, {"h", 14}}},
                    {"narrow", {{"k", 16}, {"h", 1}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
