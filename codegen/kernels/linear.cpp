// linear.cpp - y = x · Wᵀ (+ bias) (+ residual), for a chunk of rows of W.
//
// Shapes    act [T, K], W [M of N, K], bias [M], residual and y [T, M of N]
// Source    every nn.Linear of HF transformers modeling_qwen2.py
#include "codegen/kernels/LinearCore.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int panels = context.dim("m") / kPanelRows;
  const Activations x = context.activations(context.dim("k"));
  const PlaneParams weight = context.weight("W", context.dim("k"), panels);
  LinearCore core(context, weight, x, "acc", context.knob("panels"));
  Var lane = core.lane, panel = core.panel, token = core.token;
  Expr value = core.acc(lane, panel, token);
  if (context.has("bias"))
    value += context.vec("bias", context.dim("m"))(panel * 16 + lane);
  if (context.has("residual"))
    value +=
        context.rows("residual", context.dim("n"))(panel * 16 + lane, token);
  context.addTokens();
  outputTiles(context, value, {&core});
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t n = 0; n < std::min(trial.dim("m"), trial.dim("n")); ++n) {
      Sum sum = trial.product("W", t, n);
      if (trial.has("bias"))
        sum.add(trial.in("bias", 0, n));
      if (trial.has("residual"))
        sum.add(trial.in("residual", t, n));
      trial.out("y", t, n, sum.value, sum.bound());
    }
}

} // namespace

namespace kernel {

Kernel linear() {
  return {
      .interface = {.name = "linear",
                    .options = {formatOption(), actOption(), flagOption("bias"),
                                flagOption("residual")},
                    .dims = {"k", "n", "m", "t"},
                    .multiples = {{"m", 16}},
                    .operands = {operand("act", "act", "k"),
                                 operand("W", "weight", "m"),
                                 operand("bias", "vec", "m", "bias"),
                                 operand("residual", "rows", "n", "residual"),
                                 scalar("T", "i32"), output("y", "rows", "n")},
                    .knobs = outputTileKnobs("m")},
      .build = build,
      .reference = reference,
      .cases = {{"down", {{"k", 4864}, {"n", 96}, {"m", 48}}},
                {"wide", {{"k", 512}, {"n", 130}, {"m", 144}}},
                {"smallest", {{"k", 256}, {"n", 16}, {"m", 16}}}},
      .products = [](const Trial &trial) {
        return trial.tokens() * trial.dim("m") * trial.dim("k");
      }};
}

} // namespace kernel
} // namespace qwen::codegen
