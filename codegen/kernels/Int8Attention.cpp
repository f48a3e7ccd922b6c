// Int8Attention.cpp - attention.cpp over an int8 cache: products of bytes.
//
// Shapes    q, y as in attention.cpp; the planes of keys and values of
// cache_layout.h
// Numerics  as attention.cpp, but for two sums. Of a score the columns that
// keys have in bytes: q is rounded to bytes too, scale = max|q| / 127 of the
// head, and their dot is an exact integer; its scaled value is where the sum of
// the slow columns starts, by fma over c. The weighted values: a weight times
// its position's scale becomes a code of 14 bits, 16383 being the block's
// largest, and the codes times bytes are an exact integer. Codes come in halves
// of 7 bits. Where no instruction adds four products of bytes, one that adds
// two of 16 bits gives the same integers. Blocks are of kCodedPositions
#include "codegen/kernels/Attention.h"

#include "codegen/kernels/AttentionTiles.h"

#include <limits>
#include <numbers>

namespace qwen::codegen {

using namespace Halide;

namespace {

constexpr int kBlock = int(kCacheBlock);
constexpr int kSpan = int(kCodedPositions / kCacheBlock); // blocks
constexpr int kOffset = 128;                              // of stored bytes
constexpr int kLargestCode = 16383; // two halves of 7 bits
constexpr float kSmallestPeak = 1e-30f;
constexpr float kLeast = -1e30f; // of an exponent

} // namespace

void buildInt8Attention(BuildContext &context, bool onePart) {
  const int width = context.dim("c"), heads = context.dim("r"),
            positions = context.dim("s"), blocks = positions / kBlock;
  const int slow = int(slowHalf(width)), fast = width / 2 - slow;
  const float lowest = -std::numeric_limits<float>::infinity();
  // One instruction adds four products of bytes, or two of 16 bits: then the
  // sums of a quad's pairs stay apart until the end.
  const bool quads = context.target.data.quadDots;
  const int together = quads ? 4 : 2, apart = 4 / together;
  const Type factorType = quads ? Int(8) : Int(16);

  const ImageParam q = context.buffer(
      "q", Float(32), context.halfHeadRows(width, heads, context.dim("h")));
  const auto bytes = [&](const std::string &name, int across, int along) {
    return context.buffer(name, UInt(8),
                          {{4, 1}, {across, 4}, {along, 4 * across}});
  };
  const ImageParam keys = bytes("keys", kBlock, blocks * fast / 2);
  const ImageParam slowKeys = context.buffer(
      "keys_slow", Float(16),
      {{kBlock, 1}, {2 * slow, kBlock}, {blocks, 2 * slow * kBlock}});
  const Extents scales{{kBlock, 1}, {blocks, kBlock}};
  const ImageParam keyScales = context.buffer("keys_scale", Float(32), scales);
  const ImageParam values = bytes("values", width, positions / 4);
  const ImageParam valueScales =
      context.buffer("values_scale", Float(32), scales);
  context.addTokens();
  Expr position = context.scalarInt("position");

  Var j("j"), r("r"), t("t"), b("b"), c("c"), n("n"), lane("lane"), i("i"),
      half("half");
  // The query as bytes, and its slow columns in units of the score.
  const float unit = float(std::numbers::log2e / std::sqrt(double(width)));
  Func largest("largest"), queryScale("query_scale"), query("query"),
      querySum("query_sum"), slowQuery("slow_query");
  RDom all(0, fast, 0, 2, "all");
  largest(r, t) = 0.0f;
  largest(r, t) = max(largest(r, t), abs(q(all.x, all.y, r, t)));
  queryScale(r, t) = largest(r, t) / 127.0f;
  query(i, half, r, t) = cast(
      factorType, round(q(i, half, r, t) * inverseScale(queryScale(r, t))));
  querySum(r, t) = 0;
  querySum(r, t) += cast<int32_t>(query(all.x, all.y, r, t));
  slowQuery(i, half, r, t) = q(fast + i, half, r, t) * unit;

  // A span of blocks is merged at a time. Where it reaches beyond the cache the
  // last block stands for what is not visible anyway; the cache of the last
  // span may be shorter than a span.
  const Expr lastBlock =
      onePart ? min((position + context.tokens() - 1) / kBlock, blocks - 1)
              : Expr(blocks - 1);
  const auto blockOf = [&](const Expr &b, const Expr &p) {
    return min(b * kSpan + p, lastBlock);
  };
  const auto overVectors = [&](const auto &at, const auto &combine) {
    Expr all;
    for (int p = 0; p < kSpan; ++p)
      for (int start = 0; start < kBlock; start += 16)
        all = all.defined() ? combine(all, at(start, p)) : Expr(at(start, p));
    return all;
  };
  const auto larger = [](const Expr &a, const Expr &b) { return max(a, b); };
  const auto added = [](const Expr &a, const Expr &b) { return a + b; };
  Var p("p");
  RDom quad(0, together, 0, fast / 4, 0, 2, "quad"),
      inner(0, slow, 0, 2, "inner");
  RDom pairs(0, apart, "pairs");
  Var pair("pair");
  Func dots("dots"), dot("dot"), sum("sum"), visible("visible"), score("score"),
      highest("highest"), exponent("exponent"), weight("weight"),
      partial("partial");
  Expr keyQuad = (blockOf(b, p) * 2 + quad.z) * (fast / 4) + quad.y;
  Expr byte = pair * together + quad.x;
  dots(pair, j, p, r, t, b) = 0;
  dots(pair, j, p, r, t, b) +=
      cast<int32_t>(keys(byte, j, keyQuad)) *
      cast<int32_t>(query(quad.y * 4 + byte, quad.z, r, t));
  dot(j, p, r, t, b) = querySum(r, t) * -kOffset;
  dot(j, p, r, t, b) += dots(pairs, j, p, r, t, b);
  sum(j, p, r, t, b) =
      cast<float>(dot(j, p, r, t, b)) *
      (keyScales(j, blockOf(b, p)) * (queryScale(r, t) * unit));
  sum(j, p, r, t, b) = context.fma(
      slowQuery(inner.x, inner.y, r, t),
      cast<float>(slowKeys(j, inner.y * slow + inner.x, blockOf(b, p))),
      sum(j, p, r, t, b));

  // Stages of their own, as in attention.cpp. What future positions hold is
  // read, and has no effect.
  visible(j, p, t, b) =
      cast<uint8_t>((b * kSpan + p) * kBlock + j <= position + t);
  Expr isVisible = visible(j, p, t, b) != cast<uint8_t>(0);
  score(j, p, r, t, b) = select(isVisible, sum(j, p, r, t, b), lowest);
  highest(lane, r, t, b) = overVectors(
      [&](int start, int p) { return score(lane + start, p, r, t, b); },
      larger);
  // Of a span in which a row sees nothing it is no infinity, which leaves all
  // weights 0.
  exponent(r, t, b) = ceil(max(
      treeMax([&](int at) -> Expr { return highest(at, r, t, b); }), kLeast));
  weight(j, p, r, t, b) =
      exp2Negative(context, score(j, p, r, t, b) - exponent(r, t, b));
  partial(lane, r, t, b) = overVectors(
      [&](int start, int p) { return weight(lane + start, p, r, t, b); },
      added);

  Func scaled("scaled"), top("top"), peak("peak"), inverse("inverse"),
      code("code"), codes("codes"), codePart("code_part"), codeSum("code_sum"),
      products("products"), mixed("mixed");
  scaled(j, p, r, t, b) =
      weight(j, p, r, t, b) *
      select(isVisible, valueScales(j, blockOf(b, p)), 0.0f);
  top(lane, r, t, b) = overVectors(
      [&](int start, int p) { return scaled(lane + start, p, r, t, b); },
      larger);
  peak(r, t, b) = treeMax([&](int at) -> Expr { return top(at, r, t, b); });
  inverse(r, t, b) =
      select(peak(r, t, b) > kSmallestPeak,
             float(kLargestCode) / max(peak(r, t, b), kSmallestPeak), 0.0f);
  // The low bits of the sum with a number whose last place is 1.
  code(j, p, r, t, b) =
      reinterpret<int32_t>(context.fma(scaled(j, p, r, t, b), inverse(r, t, b),
                                       Expr(0x1.8p23f))) &
      kLargestCode;
  codes(j, half, p, r, t, b) =
      cast(factorType, (code(j, p, r, t, b) >> select(half == 0, 7, 0)) & 127);
  codePart(lane, r, t, b) = overVectors(
      [&](int start, int p) { return code(lane + start, p, r, t, b); }, added);
  codeSum(r, t, b) =
      treeSum([&](int at) -> Expr { return codePart(at, r, t, b); });

  // Halves share a sum, so that a tile of all heads and columns is in
  // registers: high ones, times 128, then low ones.
  RDom high(0, together, 0, kBlock / 4, 0, kSpan, "high"),
      low(0, together, 0, kBlock / 4, 0, kSpan, "low");
  const auto add = [&](const RDom &of, int which) {
    Expr at = pair * together + of.x;
    products(pair, c, r, t, b) +=
        cast<int32_t>(values(at, c, blockOf(b, of.z) * (kBlock / 4) + of.y)) *
        cast<int32_t>(codes(of.y * 4 + at, which, of.z, r, t, b));
  };
  products(pair, c, r, t, b) = 0;
  add(high, 0);
  products(pair, c, r, t, b) = products(pair, c, r, t, b) * 128;
  add(low, 1);
  mixed(c, r, t, b) = codeSum(r, t, b) * -kOffset;
  mixed(c, r, t, b) += products(pairs, c, r, t, b);

  // A condition on t would keep Halide from making vectors of `mixed`: what is
  // added of blocks beyond it is 0.
  constexpr int kPositions = kSpan * kBlock,
                kBlocks = int(kSpanPositions) / kPositions;
  RDom block(0, kBlocks, "block");
  block.where((n * kBlocks + block) * kPositions < position + context.tokens());
  Expr at = n * kBlocks + block;
  BlockMerge merge(context, c, r, t, n, block,
                   {.values = cast<float>(mixed(c, r, t, at)),
                    .unit = peak(r, t, at) * (1.0f / float(kLargestCode)),
                    .weights = partial(c % 16, r, t, at),
                    .exponent = exponent(r, t, at)});
  merge.finish(context, position, onePart);

  const AttentionTiles tiles(context);
  merge.schedule(tiles, width, heads);
  const LoopLevel atBlock = merge.atBlock();
  const Func y = merge.y;
  for (Func stage : {largest, queryScale, querySum})
    stage.compute_at(y, t).store_in(MemoryType::Stack).bound_extent(r, heads);
  for (auto [stage, columns] : {std::pair(query, fast), {slowQuery, slow}})
    stage.compute_at(y, t)
        .store_in(MemoryType::Stack)
        .bound_extent(i, columns)
        .bound_extent(half, 2)
        .bound_extent(r, heads)
        .vectorize(i, 4);
  visible.compute_at(atBlock)
      .store_in(MemoryType::Stack)
      .bound_extent(j, kBlock)
      .bound_extent(p, kSpan)
      .vectorize(j);
  score.compute_at(atBlock)
      .store_in(MemoryType::Stack)
      .bound_extent(j, kBlock)
      .bound_extent(p, kSpan)
      .bound_extent(r, heads);
  tiles.loops(score, j, r, p);
  tiles.accumulate(sum, score, j, r);
  tiles.add(sum.update(), j, r, inner.x, inner.y);
  tiles.prefetch(sum.update(), slowKeys, inner.x, 2 * slow);
  // Sums of bytes' products by pairs, a tile of them in registers, and how they
  // meet.
  const auto tileOf = [&](Stage stage, const Var &x) {
    return stage.split(x, tiles.vector, x, 16)
        .vectorize(x)
        .unroll(tiles.vector)
        .unroll(r);
  };
  const auto addBytes = [&](Stage stage, const Var &x, const RDom &of) {
    tileOf(stage.reorder(of.x, pair, x, r, of.y, of.z), x)
        .atomic(/*override_associativity_test=*/true)
        .vectorize(of.x)
        .vectorize(pair);
  };
  const auto byPairs = [&](Func apartSums, Func sums, const Func &user,
                           const Var &x) {
    for (const Func &stage : {apartSums, sums})
      tiles.accumulate(stage, user, x, r);
    apartSums.bound_extent(pair, apart).vectorize(pair);
    tileOf(sums.update().reorder({pairs, x, r}), x).atomic().vectorize(pairs);
  };
  byPairs(dots, dot, score, j);
  addBytes(dots.update(), j, quad);
  tiles.prefetch(dots.update(), keys, quad.y, fast / 2);
  for (Func stage : {exponent, peak, inverse})
    stage.compute_at(atBlock)
        .store_in(MemoryType::Stack)
        .bound_extent(r, heads);
  for (Func stage : {weight, scaled, code, codes})
    stage.compute_at(atBlock)
        .store_in(MemoryType::Stack)
        .bound_extent(j, kBlock)
        .bound_extent(p, kSpan)
        .bound_extent(r, heads)
        .vectorize(j, 16)
        .unroll(j);
  codes.bound_extent(half, 2).reorder(half, j).unroll(half);
  partial.compute_at(atBlock)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, 16)
      .vectorize(lane);
  highest.compute_at(exponent, r);
  top.compute_at(peak, r);
  for (Func stage : {highest, top})
    stage.store_in(MemoryType::Stack).bound_extent(lane, 16).vectorize(lane);
  codeSum.compute_at(atBlock)
      .store_in(MemoryType::Stack)
      .bound_extent(r, heads);
  codePart.compute_at(codeSum, r)
      .store_in(MemoryType::Stack)
      .bound_extent(lane, 16)
      .vectorize(lane);
  byPairs(products, mixed, merge.state, c);
  addBytes(products.update(0), c, high);
  addBytes(products.update(2), c, low);
  tileOf(products.update(1).reorder(pair, c, r), c).vectorize(pair);
  tiles.prefetch(products.update(0), values, high.y, kBlock / 4);
}

std::vector<double> int8Query(const Trial &trial, int64_t t, int64_t r) {
  const int64_t width = trial.dim("c");
  std::vector<double> query;
  float peak = 0;
  for (int64_t c = 0; c < width; ++c) {
    query.push_back(trial.in("q", t, r * width + c));
    if (!keyColumn(c, width).slow)
      peak = std::max(peak, std::fabs(float(query.back())));
  }
  const float scale = peak / 127.0f;
  for (int64_t c = 0; c < width; ++c)
    if (double &x = query[size_t(c)]; !keyColumn(c, width).slow && scale > 0)
      x = double(scale) * std::nearbyint(float(x) * (1.0f / scale));
  return query;
}

double codedWeightsBound(const Trial &trial, const std::vector<double> &weights,
                         double sum, int64_t c) {
  constexpr double kWorst = 6; // standard deviations: the worst of many
  double loss = 0, squares = 0;
  for (size_t begin = 0; begin < weights.size(); begin += kCodedPositions) {
    const size_t end =
        std::min(begin + size_t(kCodedPositions), weights.size());
    double peak = 0, quants = 0;
    for (size_t s = begin; s < end; ++s) {
      const double scale = trial.valueScale(int64_t(s)),
                   value = trial.value(int64_t(s), c);
      peak = std::max(peak, weights[s] / sum * scale);
      quants += std::pow(value / scale, 2);
      squares += std::pow(weights[s] / sum * value, 2);
    }
    loss += std::pow(peak / kLargestCode, 2) / 12 * quants;
  }
  return kWorst * (std::sqrt(loss) + kEpsilon * std::sqrt(squares));
}

} // namespace qwen::codegen
