// add.cpp - y = a + b.
//
// Shapes    a, b, y [T, K]
#include "codegen/kernels/Kernel.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = int(rowStride(context.dim("k")));
  const ImageParam a = context.rows("a", width), b = context.rows("b", width);
  context.addTokens();
  Var k("k"), token("token");
  Func y("y");
  y(k, token) = a(k, token) + b(k, token);
  context.output(y, {{width, 1}, {context.tokens(), width}});
  y.bound(k, 0, width).vectorize(k, 16);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t k = 0; k < trial.dim("k"); ++k) {
      const double y = trial.in("a", t, k) + trial.in("b", t, k);
      trial.out("y", t, k, y, kEpsilon * std::fabs(y));
    }
}

} // namespace

namespace kernel {

Kernel add() {
  return {
      .interface = {.name = "add",
                    .options = {},
                    .dims = {"k", "t"},
                    .multiples = {},
                    .operands = {operand("a", "rows", "k"),
                                 operand("b", "rows", "k"), scalar("T", "i32"),
                                 output("y", "rows", "k")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"row", {{"k", 896}}}, {"ragged", {{"k", 37}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
