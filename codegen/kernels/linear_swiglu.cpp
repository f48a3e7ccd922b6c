// linear_swiglu.cpp - y = silu(x · Wgateᵀ) * (x · Wupᵀ), for a chunk of rows of
// both weights.
//
// Shapes    act [T, K], Wgate and Wup [M of N, K], y [T, M of N]
// Source    HF transformers Qwen2MLP
#include "codegen/kernels/LinearCore.h"
#include "codegen/kernels/Math.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int panels = context.dim("m") / kPanelRows;
  const Activations x = context.activations(context.dim("k"));
  const PlaneParams gateWeight =
      context.weight("Wgate", context.dim("k"), panels);
  const PlaneParams upWeight = context.weight("Wup", context.dim("k"), panels);
  const int tilePanels = context.knob("panels");
  LinearCore gate(context, gateWeight, x, "gate", tilePanels),
      up(context, upWeight, x, "up", tilePanels, {}, &gate);
  context.addTokens();
  const Var lane = gate.lane, panel = gate.panel, token = gate.token;
  outputTiles(context,
              silu(context, gate.acc(lane, panel, token)) *
                  up.acc(lane, panel, token),
              {&gate, &up});
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t n = 0; n < std::min(trial.dim("m"), trial.dim("n")); ++n) {
      const Sum gate = trial.product("Wgate", t, n),
                up = trial.product("Wup", t, n);
      const double silu = gate.value / (1 + std::exp(-gate.value));
      // |silu'| <= 1.1; silu itself adds about three roundings.
      trial.out("y", t, n, silu * up.value,
                1.1 * gate.bound() * std::fabs(up.value) +
                    std::fabs(silu) * up.bound() +
                    3 * kEpsilon * std::fabs(silu * up.value));
    }
}

} // namespace

namespace kernel {

Kernel linear_swiglu() {
  return {
      .interface = {.name = "linear_swiglu",
                    .options = {formatOption(), actOption()},
                    .dims = {"k", "n", "m", "t"},
                    .multiples = {{"m", 16}},
                    .operands = {operand("act", "act", "k"),
                                 operand("Wgate", "weight", "m"),
                                 operand("Wup", "weight", "m"),
                                 scalar("T", "i32"), output("y", "rows", "n")},
                    .knobs = outputTileKnobs("m")},
      .build = build,
      .reference = reference,
      .cases = {{"long", {{"k", 1280}, {"n", 96}, {"m", 32}}},
                {"smallest", {{"k", 256}, {"n", 16}, {"m", 16}}}},
      .products = [](const Trial &trial) {
        return 2 * trial.tokens() * trial.dim("m") * trial.dim("k");
      }};
}

} // namespace kernel
} // namespace qwen::codegen
