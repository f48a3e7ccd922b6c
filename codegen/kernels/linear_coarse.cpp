// linear_coarse.cpp - the scores of a weight's coarse copy, for a chunk of its
// rows.
//
// Shapes    act [T, K], W [M of N, K], y [T, M of N]
// Source    ARCHITECTURE.md, "The screened head"
#include "codegen/kernels/LinearCore.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  context.useCoarse();
  const int panels = context.dim("m") / kPanelRows;
  const Activations x = context.activations(context.dim("k"));
  const PlaneParams weight = context.weight("W", context.dim("k"), panels);
  context.addTokens();
  LinearCore core(context, weight, x, "acc", context.knob("panels"));
  outputTiles(context, core.acc(core.lane, core.panel, core.token), {&core});
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t n = 0; n < std::min(trial.dim("m"), trial.dim("n")); ++n) {
      const Sum &sum = trial.product("W", t, n);
      trial.out("y", t, n, sum.value, sum.bound());
    }
}

} // namespace

namespace kernel {

Kernel linear_coarse() {
  return {
      .interface = {.name = "linear_coarse",
                    .options = {screenFormatOption(), quantisedActOption()},
                    .dims = {"k", "n", "m", "t"},
                    .multiples = {{"m", 16}},
                    .operands = {operand("act", "act", "k"),
                                 operand("W", "coarse", "m"),
                                 scalar("T", "i32"), output("y", "rows", "n")},
                    .knobs = linearKnobs("m")},
      .build = build,
      .reference = reference,
      .cases = {{"wide", {{"k", 512}, {"n", 130}, {"m", 144}}},
                {"smallest", {{"k", 128}, {"n", 16}, {"m", 16}}}},
      .products = [](const Trial &trial) {
        return trial.tokens() * trial.dim("m") * trial.dim("k");
      }};
}

} // namespace kernel
} // namespace qwen::codegen
