// linear_append.cpp - x · Wᵀ + bias written into the value cache, for a chunk
// of whole heads.
//
// Shapes    act [T, K], W [M of G·C, K], bias [M], cache [M/C][S][C], f32 or
// f16 Source    HF transformers Qwen2Attention: v_proj, cache update
#include "codegen/kernels/LinearCore.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void build(BuildContext &context) {
  const int width = context.dim("c"), headPanels = width / int(kPanelRows),
            heads = context.dim("m") / width;
  const int64_t positions = context.dim("s");
  const Activations x = context.activations(context.dim("k"));
  const PlaneParams weight =
      context.weight("W", context.dim("k"), context.dim("m") / kPanelRows);
  LinearCore core(context, weight, x, "acc", context.knob("panels"));
  Var lane("lane"), panel("panel"), head("head"), place("place");
  RDom row(0, context.tokens(), "row");
  Expr value = core.acc(lane, head * headPanels + panel, row);
  if (context.has("bias"))
    value += context.vec("bias", context.dim("m"))(
        (head * headPanels + panel) * 16 + lane);
  context.addTokens();
  Expr position = context.scalarInt("position");
  Func values("values");
  values(lane, panel, place, head) = undef(context.cacheType());
  values(lane, panel, position + row, head) = cast(context.cacheType(), value);
  context.output(values, {{16, 1},
                          {headPanels, 16},
                          {int(positions), width},
                          {heads, positions * width}});

  // Only rows below T may be written: a cache has no spare rows.
  const int tilePanels = context.knob("panels"),
            tileTokens = context.knob("tokens");
  values.bound(lane, 0, 16).bound(panel, 0, headPanels).bound(head, 0, heads);
  Var panelTile("panelTile");
  RVar rowTile("rowTile"), rowIn("rowIn");
  values.update()
      .split(row, rowTile, rowIn, tileTokens, TailStrategy::GuardWithIf)
      .split(panel, panelTile, panel, tilePanels)
      .reorder(lane, panel, rowIn, rowTile, panelTile, head)
      .vectorize(lane)
      .unroll(panel);
  core.schedule({values, rowTile}, tilePanels, tileTokens, {values, panelTile});
}

void reference(Trial &trial) {
  const int64_t width = trial.dim("c");
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t n = 0; n < trial.dim("m"); ++n) {
      Sum sum = trial.product("W", t, n);
      if (trial.has("bias"))
        sum.add(trial.in("bias", 0, n));
      trial.cacheValue(n / width, t, n % width, sum.value, sum.bound());
    }
}

} // namespace

namespace kernel {

Kernel linear_append() {
  return {
      .interface = {.name = "linear_append",
                    .options = {formatOption(), actOption(), kvOption(),
                                flagOption("bias")},
                    .dims = {"k", "m", "c", "s", "t"},
                    .multiples = {{"c", 16}, {"s", 64}},
                    .operands = {operand("act", "act", "k"),
                                 operand("W", "weight", "m"),
                                 operand("bias", "vec", "m", "bias"),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 output("values", "values", "")},
                    .knobs = linearKnobs("c")},
      .build = build,
      .reference = reference,
      .cases = {{"heads64",
                 {{"k", 1024}, {"m", 128}, {"c", 64}, {"s", 192}},
                 62},
                {"heads32", {{"k", 256}, {"m", 32}, {"c", 32}, {"s", 64}}, 0}},
      .products = [](const Trial &trial) {
        return trial.tokens() * trial.dim("m") * trial.dim("k");
      }};
}

} // namespace kernel
} // namespace qwen::codegen
