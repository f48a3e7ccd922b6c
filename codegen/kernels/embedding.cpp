// embedding.cpp - y[t] = row ids[t] of W, as f32.
//
// Shapes    ids [T], each in [0, N); W [N, K], y [T, K]
// Source    nn.Embedding of HF transformers modeling_qwen2.py
#include "codegen/kernels/Kernel.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = context.dim("k");
  const ImageParam ids = context.ids("ids");
  const PlaneParams weight = context.weight(
      "W", width, roundUp(context.dim("n"), kPanelRows) / kPanelRows);
  context.addTokens();
  Var k("k"), token("token");
  Func y("y");
  Expr id = clamp(ids(token), 0, context.dim("n") - 1);
  y(k, token) = context.format().decode(weight, id % int(kPanelRows), k,
                                        id / int(kPanelRows));
  context.output(y, {{width, 1}, {context.tokens(), rowStride(width)}});
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t k = 0; k < trial.dim("k"); ++k)
      trial.out("y", t, k, trial.weight("W", int64_t(trial.in("ids", 0, t)), k),
                0);
}

} // namespace

namespace kernel {

Kernel embedding() {
  return {
      .interface = {.name = "embedding",
                    .options = {formatOption()},
                    .dims = {"k", "n", "t"},
                    .multiples = {},
                    .operands = {operand("ids", "ids", ""),
                                 operand("W", "weight", "n"),
                                 scalar("T", "i32"), output("y", "rows", "k")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"ragged_n", {{"k", 256}, {"n", 250}}},
                {"wide", {{"k", 1024}, {"n", 64}}}}};
}

} // namespace kernel
} // namespace qwen::codegen
