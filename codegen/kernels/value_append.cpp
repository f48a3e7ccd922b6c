// value_append.cpp - writes rows into the value cache from `position` on.
//
// Shapes    x [T, G·C], cache [G][S][C], f32 or f16, or the planes of int8
// (cache_layout.h)
#include "codegen/kernels/Math.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void buildInt8(BuildContext &context) {
  const int width = context.dim("c"), heads = context.dim("g"),
            positions = context.dim("s");
  const ImageParam x =
      context.buffer("x", Float(32), context.headRows(width, heads, heads));
  context.addTokens();
  Expr position = context.scalarInt("position");
  Var c("c"), byte("byte"), quad("quad"), place("place"), head("head"),
      token("token");
  RDom row(0, context.tokens(), "row"), all(0, width, "all");
  Expr at = position + row;
  const auto peakOf = [&](const std::string &name) {
    Func peak(name);
    peak(head, token) = 0.0f;
    peak(head, token) = max(peak(head, token), abs(x(all, head, token)));
    return peak;
  };
  Func valuesPeak = peakOf("values_peak"), peak = peakOf("peak"),
       values("values"), scales("scales"), inverse("inverse");
  inverse(head, token) = inverseScale(valuesPeak(head, token) / 127.0f);
  values(byte, c, quad, head) = undef(UInt(8));
  values(at % 4, c, at / 4, head) = cast<uint8_t>(
      128 + cast<int32_t>(round(x(c, head, row) * inverse(head, row))));
  context.output(values, {{4, 1},
                          {width, 4},
                          {positions / 4, 4 * width},
                          {heads, positions * width}});
  scales(place, head) = undef(Float(32));
  scales(at, head) = peak(head, row) / 127.0f;
  context.output(scales, {{positions, 1}, {heads, positions}});

  values.bound(c, 0, width)
      .bound(head, 0, heads)
      .update()
      .reorder(c, head, row)
      .vectorize(c, 16);
  scales.bound(head, 0, heads).update().reorder(head, row);
  for (Func stage : {valuesPeak, inverse})
    stage.compute_at(values, head).store_in(MemoryType::Stack);
  peak.compute_at(scales, head).store_in(MemoryType::Stack);
}

void build(BuildContext &context) {
  if (context.option("kv") == "int8")
    return buildInt8(context);
  const int width = context.dim("c"), heads = context.dim("g");
  const int64_t positions = context.dim("s");
  const ImageParam x =
      context.buffer("x", Float(32), context.headRows(width, heads, heads));
  context.addTokens();
  Expr position = context.scalarInt("position");
  Var c("c"), place("place"), head("head");
  RDom row(0, context.tokens(), "row");
  Func values("values");
  values(c, place, head) = undef(context.cacheType());
  values(c, position + row, head) = cast(context.cacheType(), x(c, head, row));
  context.output(
      values,
      {{width, 1}, {int(positions), width}, {heads, positions * width}});
  values.bound(c, 0, width)
      .bound(head, 0, heads)
      .update()
      .reorder(c, head, row)
      .vectorize(c, 16);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t head = 0; head < trial.dim("g"); ++head)
      trial.cacheRow(/*keys=*/false, head, t);
}

} // namespace

namespace kernel {

Kernel value_append() {
  return {
      .interface = {.name = "value_append",
                    .options = {anyKvOption()},
                    .dims = {"g", "c", "s", "t"},
                    .multiples = {{"c", 16}, {"s", 64}},
                    .operands = {operand("x", "rows", "g*c"),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 output("values", "values", "")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"two_heads", {{"g", 2}, {"c", 64}, {"s", 192}}, 62},
                {"one_head", {{"g", 1}, {"c", 32}, {"s", 64}}, 0}}};
}

} // namespace kernel
} // namespace qwen::codegen
