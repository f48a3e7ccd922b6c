// key_append.cpp - writes rows into the key cache from `position` on.
//
// Shapes    x [T, G·C], cache [G][S/64][C][64], f32 or f16, or the planes of
// int8 (cache_layout.h)
#include "codegen/kernels/Math.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

using namespace Halide;

void buildInt8(BuildContext &context) {
  const int width = context.dim("c"), heads = context.dim("g"),
            positions = context.dim("s"), blocks = positions / 64;
  const int slow = int(slowHalf(width)), fast = width / 2 - slow;
  const ImageParam x =
      context.buffer("x", Float(32), context.halfHeadRows(width, heads, heads));
  context.addTokens();
  Expr position = context.scalarInt("position");
  Var byte("byte"), within("within"), quad("quad"), half("half"),
      block("block"), head("head"), i("i"), place("place"), token("token");
  RDom row(0, context.tokens(), "row"), all(0, fast, 0, 2, "all");
  Expr at = position + row;
  const auto scaleOf = [&](const std::string &name) {
    Func peak(name + "_peak"), scale(name);
    peak(head, token) = 0.0f;
    peak(head, token) =
        max(peak(head, token), abs(x(all.x, all.y, head, token)));
    scale(head, token) = peak(head, token) / 127.0f;
    return std::pair(peak, scale);
  };
  const auto [keysPeak, keysScale] = scaleOf("keys_scale_of");
  const auto [peak, scale] = scaleOf("scale_of");
  Func keys("keys"), kept("kept"), scales("scales"), inverse("inverse");
  inverse(head, token) = inverseScale(keysScale(head, token));
  keys(byte, within, quad, half, block, head) = undef(UInt(8));
  keys(byte, at % 64, quad, half, at / 64, head) = cast<uint8_t>(
      128 + cast<int32_t>(round(x(quad * 4 + byte, half, head, row) *
                                inverse(head, row))));
  context.output(keys, {{4, 1},
                        {64, 4},
                        {fast / 4, 4 * 64},
                        {2, fast * 64},
                        {blocks, 2 * fast * 64},
                        {heads, 2 * fast * positions}});
  kept(within, i, half, block, head) = undef(Float(16));
  kept(at % 64, i, half, at / 64, head) =
      cast<float16_t>(x(fast + i, half, head, row));
  context.output(kept, {{64, 1},
                        {slow, 64},
                        {2, slow * 64},
                        {blocks, 2 * slow * 64},
                        {heads, 2 * slow * positions}});
  scales(place, head) = undef(Float(32));
  scales(at, head) = scale(head, row);
  context.output(scales, {{positions, 1}, {heads, positions}});

  keys.bound(byte, 0, 4)
      .bound(quad, 0, fast / 4)
      .bound(half, 0, 2)
      .bound(head, 0, heads)
      .update()
      .reorder(byte, quad, half, head, row)
      .vectorize(byte);
  kept.bound(i, 0, slow)
      .bound(half, 0, 2)
      .bound(head, 0, heads)
      .update()
      .reorder(i, half, head, row)
      .vectorize(i, 4);
  scales.bound(head, 0, heads).update().reorder(head, row);
  for (Func stage : {keysPeak, inverse})
    stage.compute_at(keys, head).store_in(MemoryType::Stack);
  Func(peak).compute_at(scales, head).store_in(MemoryType::Stack);
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
  Var within("within"), c("c"), block("block"), head("head");
  RDom row(0, context.tokens(), "row");
  Expr at = position + row;
  Func keys("keys");
  keys(within, c, block, head) = undef(context.cacheType());
  keys(at % 64, c, at / 64, head) = cast(context.cacheType(), x(c, head, row));
  context.output(keys, {{64, 1},
                        {width, 64},
                        {int(positions / 64), 64 * width},
                        {heads, positions * width}});
  keys.bound(c, 0, width)
      .bound(head, 0, heads)
      .update()
      .reorder(c, head, row)
      .vectorize(c, 16);
}

void reference(Trial &trial) {
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t head = 0; head < trial.dim("g"); ++head)
      trial.cacheRow(/*keys=*/true, head, t);
}

} // namespace

namespace kernel {

Kernel key_append() {
  return {
      .interface = {.name = "key_append",
                    .options = {anyKvOption()},
                    .dims = {"g", "c", "s", "t"},
                    .multiples = {{"c", 16}, {"s", 64}},
                    .operands = {operand("x", "rows", "g*c"),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 output("keys", "keys", "")},
                    .knobs = {}},
      .build = build,
      .reference = reference,
      .cases = {{"two_heads", {{"g", 2}, {"c", 64}, {"s", 192}}, 62},
                {"one_head", {{"g", 1}, {"c", 32}, {"s", 64}}, 0}}};
}

} // namespace kernel
} // namespace qwen::codegen
