// swiglu.cpp - y = silu(gate) * up.
//
// Shapes    gate, up, y [T, K]
// Source    HF transformers Qwen2MLP
#include "codegen/kernels/Math.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = int(rowStride(context.dim("k")));
  const ImageParam gate = context.rows("gate", width),
                   up = context.rows("up", width);
  context.addTokens();
  Var k("k"), token("token");
  Func y("y");
  y(k, token) = silu(context, gate(k, token)) * up(k, token);
  context.output(y, {{width, 1}, {context.tokens(), width}});
  y.bound(k, 0, width).vectorize(k, 16);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t k = 0; k < trial.dim("k"); ++k) {
      const double gate = trial.in("gate", t, k),
                   y = gate / (1 + std::exp(-gate)) * trial.in("up", t, k);
      trial.out("y", t, k, y, 4 * kEpsilon * std::fabs(y));
    }
}

} // namespace

namespace kernel {

Kernel swiglu() {
  return {
      .interface = {.name = "swiglu",
                    .options = {},
                    .dims = {"k", "t"},
                    .multiples = {},
                    .operands = {operand("gate", "rows", "k"),
                                 operand("up", "rows", "k"), scalar("T", "i32"),
                                 output("y", "rows", "k")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"row", {{"k", 4864}}}, {"ragged", {{"k", 37}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
