// attention_span.cpp - causal attention of one key/value head's queries over a
// span of positions: the sums that attention_merge takes.
//
// Shapes    q [T, H·C] from the kv head's first query (R heads of C columns),
// keys and values from the span's first position, y [T, H·P]: of each head C
// weighted values, the sum of the weights, their exponent, and zeros up to P
// Numerics  those of attention.cpp within a span: `position` counts from its
// start, and beyond its end all of it is seen
// Source    Dao et al., Flash-Decoding for long-context inference, 2023
#include "codegen/kernels/Attention.h"
#include "codegen/kernels/AttentionTiles.h"

#include <numbers>

namespace qwen::codegen {
namespace {

void build(BuildContext &context) {
  if (context.dim("p") != partWidth(context.dim("c")))
    throw KernelError{"a part of a head of " +
                      std::to_string(context.dim("c")) + " columns has " +
                      std::to_string(partWidth(context.dim("c"))) +
                      " values, not " + std::to_string(context.dim("p"))};
  buildAttention(context, true);
}

void reference(Trial &trial) {
  const int64_t width = trial.dim("c"), part = trial.dim("p");
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t r = 0; r < trial.dim("r"); ++r) {
      const HeadWeights head = headWeights(
          trial, t, r, std::min(trial.position() + t + 1, trial.dim("s")));
      const double peak = head.peak * std::numbers::log2e,
                   exponent = std::ceil(peak),
                   unit = std::exp2(peak - exponent) * head.sum;
      // A score within its error of an integer would make either exponent
      // right; none of a trial's is.
      for (int64_t c = 0; c < width; ++c) {
        const Mixed mixed = mixedValue(trial, head, c);
        trial.out("y", t, r * part + c, mixed.value * unit, mixed.bound * unit);
      }
      trial.out("y", t, r * part + width, unit,
                unit * (head.scoreBound + 2 * kEpsilon));
      trial.out("y", t, r * part + width + 1, exponent, 0.25);
      for (int64_t i = width + 2; i < part; ++i)
        trial.out("y", t, r * part + i, 0, 1e-30);
    }
}

} // namespace

namespace kernel {

Kernel attention_span() {
  return {
      .interface = {.name = "attention_span",
                    .options = {anyKvOption()},
                    .dims = {"h", "r", "c", "p", "s", "t"},
                    .multiples = {{"c", 16}, {"p", 16}, {"s", 64}},
                    .operands = {operand("q", "rows", "h*c"),
                                 operand("keys", "keys", ""),
                                 operand("values", "values", ""),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 output("y", "rows", "h*p")},
                    .knobs = attentionKnobs()},
      .build = build,
      .reference = reference,
      .cases = {{"first",
                 {{"h", 14}, {"r", 7}, {"c", 64}, {"p", 80}, {"s", 512}},
                 250},
                {"edge",
                 {{"h", 2}, {"r", 1}, {"c", 32}, {"p", 48}, {"s", 512}},
                 506},
                {"beyond",
                 {{"h", 2}, {"r", 2}, {"c", 128}, {"p", 144}, {"s", 512}},
                 1300}},
      .products = [](const Trial &trial) {
        return 2 * trial.tokens() * trial.dim("r") * trial.dim("c") *
               std::min(trial.position() + (trial.tokens() + 1) / 2,
                        trial.dim("s"));
      }};
}

} // namespace kernel
} // namespace qwen::codegen
