// attention.cpp - causal attention of one key/value head's queries over the
// cache, by online softmax.
//
// Shapes    q, y [T, H·C] from the kv head's first query (R heads of C
// columns), keys [S/64][C][64], values [S][C], or integers (CodedAttention.cpp)
// Numerics  blocks of 64 absolute positions, ascending: scores in units of ln 2
// by fma over c; weights 2^(score - e), where e is the block's largest score
// rounded up to an integer; 16 partial sums and the weighted values by fma over
// positions; then merged into the running result of a span of kSpanPositions by
// powers of two, which is exact; the span's partial sums meet by halves, and
// spans are merged as blocks are, ascending. Nothing depends on T.
// Source    HF transformers eager_attention_forward; Milakov and Gimelshein,
// arXiv 1805.02867
#include "codegen/kernels/Attention.h"

#include "codegen/kernels/AttentionTiles.h"

#include <limits>
#include <numbers>

namespace qwen::codegen {

using namespace Halide;

namespace {
constexpr int kBlock = int(kCacheBlock);
}

void buildAttention(BuildContext &context, bool onePart) {
  if (context.cacheCode())
    return buildCodedAttention(context, onePart);
  const int width = context.dim("c"), heads = context.dim("r");
  const int positions = context.dim("s");
  const float lowest = -std::numeric_limits<float>::infinity();
  const Type type = context.cacheType();
  const ImageParam q = context.buffer(
      "q", Float(32), context.headRows(width, heads, context.dim("h")));
  const ImageParam keys = context.buffer(
      "keys", type,
      {{kBlock, 1}, {width, kBlock}, {positions / kBlock, kBlock * width}});
  const ImageParam values =
      context.buffer("values", type, {{width, 1}, {positions, width}});
  context.addTokens();
  Expr position = context.scalarInt("position");

  Var j("j"), r("r"), t("t"), b("b"), c("c"), n("n"), lane("lane");
  RDom inner(0, width, "inner"), past(0, kBlock, "past");
  Func dot("dot"), highest("highest"), score("score"), exponent("exponent"),
      weight("weight"), partial("partial"), mixed("mixed"), visible("visible");

  dot(j, r, t, b) = 0.0f;
  dot(j, r, t, b) = context.fma(q(inner, r, t), cast<float>(keys(j, inner, b)),
                                dot(j, r, t, b));
  // A stage of its own: the condition inlined would make the bounds of `dot`
  // depend on the data.
  visible(j, t, b) = cast<uint8_t>(b * kBlock + j <= position + t);
  const float scale = float(std::numbers::log2e / std::sqrt(double(width)));
  score(j, r, t, b) = select(visible(j, t, b) != cast<uint8_t>(0),
                             dot(j, r, t, b) * scale, lowest);
  highest(lane, r, t, b) =
      max(max(score(lane, r, t, b), score(lane + 16, r, t, b)),
          max(score(lane + 32, r, t, b), score(lane + 48, r, t, b)));
  exponent(r, t, b) =
      ceil(treeMax([&](int i) -> Expr { return highest(i, r, t, b); }));
  weight(j, r, t, b) =
      exp2Negative(context, score(j, r, t, b) - exponent(r, t, b));
  partial(lane, r, t, b) = weight(lane, r, t, b) + weight(lane + 16, r, t, b) +
                           weight(lane + 32, r, t, b) +
                           weight(lane + 48, r, t, b);
  // Positions of the future are not read: they may hold anything.
  past.where(b * kBlock + past <= position + t);
  mixed(c, r, t, b) = 0.0f;
  mixed(c, r, t, b) =
      context.fma(weight(past, r, t, b),
                  cast<float>(values(c, b * kBlock + past)), mixed(c, r, t, b));

  constexpr int kBlocks = int(kSpanPositions) / kBlock;
  RDom block(0, kBlocks, "block");
  block.where((n * kBlocks + block) * kBlock <= position + t);
  Expr at = n * kBlocks + block;
  BlockMerge merge(context, c, r, t, n, block,
                   {.values = mixed(c, r, t, at),
                    .unit = {},
                    .weights = partial(c % 16, r, t, at),
                    .exponent = exponent(r, t, at)});
  merge.finish(context, position, onePart);

  const AttentionTiles tiles(context);
  merge.schedule(tiles, width, heads);

  merge.eachBlock(visible).bound_extent(j, kBlock).vectorize(j);
  merge.eachBlock(score).bound_extent(j, kBlock).bound_extent(r, heads);
  tiles.loops(score, j, r, t);
  tiles.accumulate(dot, score, j, r);
  tiles.add(dot.update(), j, r, inner);
  tiles.prefetch(dot.update(), keys, inner, width);
  highest.compute_at(exponent, r)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, 16)
      .vectorize(lane);
  merge.eachBlock(exponent);
  merge.eachBlock(weight).bound_extent(j, kBlock).vectorize(j, 16);
  merge.eachBlock(partial).bound_extent(lane, 16).vectorize(lane);
  tiles.accumulate(mixed, merge.state, c, r);
  tiles.add(mixed.update(), c, r, past);
  tiles.prefetch(mixed.update(), values, past, kBlock);
}

namespace {

std::vector<double> plainQuery(const Trial &trial, int64_t t, int64_t r) {
  std::vector<double> query;
  for (int64_t c = 0; c < trial.dim("c"); ++c)
    query.push_back(trial.in("q", t, r * trial.dim("c") + c));
  return query;
}

} // namespace

HeadWeights headWeights(const Trial &trial, int64_t t, int64_t r,
                        int64_t count) {
  const int64_t width = trial.dim("c");
  const CacheCode *code = trial.cacheCode();
  const std::vector<double> query = code && code->slowColumns
                                        ? int8Query(trial, t, r)
                                        : plainQuery(trial, t, r);
  HeadWeights head;
  for (int64_t s = 0; s < count; ++s) {
    Sum dot;
    for (int64_t c = 0; c < width; ++c)
      dot.add(query[size_t(c)] * trial.key(s, c));
    head.weights.push_back(dot.value / std::sqrt(double(width)));
    head.scoreBound =
        std::max(head.scoreBound, dot.bound() / std::sqrt(double(width)));
    head.peak = std::max(head.peak, head.weights.back());
  }
  if (code && !code->slowColumns)
    head.scoreBound +=
        wordsBound(trial, t, r, count) / std::sqrt(double(width));
  for (double &weight : head.weights)
    head.sum += weight = std::exp(weight - head.peak);
  return head;
}

Mixed mixedValue(const Trial &trial, const HeadWeights &head, int64_t c) {
  Sum mixed;
  for (size_t s = 0; s < head.weights.size(); ++s)
    mixed.add(head.weights[s] / head.sum * trial.value(int64_t(s), c));
  // An error of a score is a relative error of its weight.
  return {mixed.value,
          mixed.bound() +
              (head.scoreBound + kEpsilon) * std::sqrt(mixed.squares) +
              (trial.cacheCode()
                   ? codedWeightsBound(trial, head.weights, head.sum, c)
                   : 0)};
}

std::vector<CatalogKnob> attentionKnobs() {
  return {{.name = "heads",
           .values = {1, 2, 3, 4, 5, 6, 7, 8},
           .one = 8,
           .many = 8,
           .divides = "r",
           .registers = true},
          {.name = "columns",
           .values = {1, 2, 4},
           .one = 4,
           .many = 4,
           .divides = "c",
           .unit = 16,
           .registers = true},
          // Blocks of positions that are asked for ahead, of integers twice as
          // many as of floats; many tokens read them from a cache.
          {.name = "prefetch",
           .values = {0, 1, 2, 4},
           .one = 1,
           .many = 0,
           .onlyOne = true,
           .oneWith = {{"kv=int16", 2}, {"kv=int8", 2}}}};
}

namespace {

void build(BuildContext &context) { buildAttention(context, false); }

void reference(Trial &trial) {
  const int64_t width = trial.dim("c");
  for (int64_t t = 0; t < trial.tokens(); ++t)
    for (int64_t r = 0; r < trial.dim("r"); ++r) {
      const HeadWeights head =
          headWeights(trial, t, r, trial.position() + t + 1);
      for (int64_t c = 0; c < width; ++c) {
        const Mixed mixed = mixedValue(trial, head, c);
        trial.out("y", t, r * width + c, mixed.value, mixed.bound);
      }
    }
}

} // namespace

namespace kernel {

Kernel attention() {
  return {
      .interface = {.name = "attention",
                    .options = {anyKvOption()},
                    .dims = {"h", "r", "c", "s", "t"},
                    .multiples = {{"c", 16}, {"s", 64}},
                    .operands = {operand("q", "rows", "h*c"),
                                 operand("keys", "keys", ""),
                                 operand("values", "values", ""),
                                 scalar("T", "i32"), scalar("position", "i32"),
                                 output("y", "rows", "h*c")},
                    .knobs = attentionKnobs()},
      .build = build,
      .reference = reference,
      .cases = {{"r7", {{"h", 14}, {"r", 7}, {"c", 64}, {"s", 320}}, 250},
                {"r1", {{"h", 2}, {"r", 1}, {"c", 32}, {"s", 64}}, 0},
                {"r2_edge", {{"h", 2}, {"r", 2}, {"c", 128}, {"s", 128}}, 63},
                {"spans", {{"h", 4}, {"r", 2}, {"c", 64}, {"s", 1088}}, 1015}},
      .products = [](const Trial &trial) {
        return 2 * trial.tokens() * trial.dim("r") * trial.dim("c") *
               (trial.position() + (trial.tokens() + 1) / 2);
      }};
}

} // namespace kernel
} // namespace qwen::codegen
