// attention_merge.cpp - attention from the sums of its spans.
//
// Shapes    parts [T, N·H·P]: of each span and head what attention_span
// writes; y [T, H·C]. Row t takes the spans up to position + t
// Numerics  those of attention.cpp from span to span: the same bits
#include "codegen/kernels/AttentionTiles.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

constexpr int kSpan = int(kSpanPositions);

void build(BuildContext &context) {
  const int heads = context.dim("h"), width = context.dim("c"),
            part = context.dim("p"), count = context.dim("n");
  const ImageParam parts = context.buffer(
      "parts", Float(32),
      {{part, 1},
       {heads, part},
       {count, int64_t(heads) * part},
       {context.tokens(), rowStride(int64_t(count) * heads * part)}});
  context.addTokens();
  Expr position = context.scalarInt("position");
  Var c("c"), r("r"), t("t");
  Func total("total"), y("y");
  RDom span(0, (position + context.tokens() + kSpan - 1) / kSpan, "span");
  span.where(span * kSpan <= position + t);
  total(c, r, t) = noSums();
  total(c, r, t) = merged(context, total(c, r, t),
                          {.values = parts(c, r, span, t),
                           .unit = {},
                           .weights = parts(width, r, span, t),
                           .exponent = parts(width + 1, r, span, t)});
  y(c, r, t) = total(c, r, t)[0] / total(c, r, t)[1];
  context.output(y, context.headRows(width, heads, heads));

  y.bound(c, 0, width).bound(r, 0, heads).vectorize(c, 16);
  total.compute_at(y, r)
      .store_in(MemoryType::Stack)
      .bound_extent(c, width)
      .vectorize(c, 16)
      .unroll(c);
  total.update().reorder(c, span).vectorize(c, 16).unroll(c);
}

void reference(Trial &trial) {
  const int64_t heads = trial.dim("h"), width = trial.dim("c"),
                part = trial.dim("p");
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t r = 0; r < heads; ++r) {
      const int64_t count = (trial.position() + t) / kSpanPositions + 1;
      const auto of = [&](int64_t span, int64_t i) {
        return trial.in("parts", t, (span * heads + r) * part + i);
      };
      double sum = 0;
      for (int64_t span = 0; span < count; ++span)
        sum += of(span, width) * std::exp2(of(span, width + 1));
      for (int64_t c = 0; c < width; ++c) {
        Sum mixed;
        for (int64_t span = 0; span < count; ++span)
          mixed.add(of(span, c) * std::exp2(of(span, width + 1)) / sum);
        trial.out("y", t, r * width + c, mixed.value,
                  mixed.bound() + 2 * kEpsilon * std::fabs(mixed.value));
      }
    }
}

} // namespace

namespace kernel {

Kernel attention_merge() {
  return {
      .interface = {.name = "attention_merge",
                    .options = {},
                    .dims = {"h", "c", "p", "n", "t"},
                    .multiples = {{"c", 16}, {"p", 16}},
                    .operands = {operand("parts", "rows", "n*h*p"),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 output("y", "rows", "h*c")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"last", {{"h", 14}, {"c", 64}, {"p", 80}, {"n", 9}}, 4590},
                {"edge", {{"h", 2}, {"c", 128}, {"p", 144}, {"n", 4}}, 1020},
                {"first", {{"h", 1}, {"c", 32}, {"p", 48}, {"n", 2}}, 0}}};
}

} // namespace kernel
} // namespace qwen::codegen
