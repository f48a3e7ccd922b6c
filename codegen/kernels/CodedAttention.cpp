// CodedAttention.cpp - attention.cpp over a cache of integers.
//
// Shapes    q, y as in attention.cpp; the planes of keys and values of
// cache_layout.h
// Numerics  as attention.cpp, but for two sums, which are exact integers.
// Blocks are of kCodedPositions.
// int16: a score is the dot of a key and of q as words too; weights times their
// positions' scales become words. The unit of either is 1/32767 of the largest
// in the head or in the block, or 1/261888 of their sum, whichever is more, so
// that no sum of products leaves 32 bits.
// int8: of a score the columns that keys have in bytes: q is rounded to bytes
// too, scale = max|q| / 127 of the head, and the scaled dot is where the sum of
// the slow columns starts, by fma over c. Codes of weights have 14 bits, 16383
// being the block's largest, and come in halves of 7. Where no instruction adds
// four products of bytes, one that adds two of 16 bits gives the same integers
#include "codegen/kernels/Attention.h"

#include "codegen/kernels/AttentionTiles.h"

#include <limits>
#include <numbers>
#include <numeric>

namespace qwen::codegen {

using namespace Halide;

namespace {

constexpr int kBlock = int(kCacheBlock);
constexpr int kSpan = int(kCodedPositions / kCacheBlock); // blocks
constexpr float kLeast = -1e30f;                          // of an exponent
constexpr double kWorst = 6;      // standard deviations: the worst of many
constexpr int kMostColumns = 512; // that 32 bits hold (CacheCode::mostSum)

} // namespace

void buildCodedAttention(BuildContext &context, bool onePart) {
  const int width = context.dim("c"), heads = context.dim("r"),
            positions = context.dim("s"), blocks = positions / kBlock;
  const CacheCode &code = *context.cacheCode();
  if (code.mostSum > 0 && width > kMostColumns)
    throw KernelError{
        "a cache of " + context.option("kv") + " takes heads of at most " +
        std::to_string(kMostColumns) + " columns, and these have " +
        std::to_string(width) + "; `--cache-type f16` takes them"};
  const bool words = code.type == "i16";
  const int slow = int(slowHalf(&code, width)), fast = width / 2 - slow,
            run = int(code.run);
  const float lowest = -std::numeric_limits<float>::infinity();
  // One instruction adds four products of bytes, or two of 16 bits: then the
  // sums of a quad's pairs stay apart until the end.
  const bool quads = !words && context.target.data.quadDots;
  const int together = quads ? 4 : 2, apart = run / together;
  const Type factorType = quads ? Int(8) : Int(16);

  const ImageParam q = context.buffer(
      "q", Float(32), context.halfHeadRows(width, heads, context.dim("h")));
  const auto integers = [&](const std::string &name, int across, int along) {
    return context.buffer(name, words ? Int(16) : UInt(8),
                          {{run, 1}, {across, run}, {along, run * across}});
  };
  const ImageParam keys = integers("keys", kBlock, blocks * 2 * (fast / run));
  ImageParam slowKeys;
  if (slow > 0)
    slowKeys = context.buffer(
        "keys_slow", Float(16),
        {{kBlock, 1}, {2 * slow, kBlock}, {blocks, 2 * slow * kBlock}});
  const Extents scales{{kBlock, 1}, {blocks, kBlock}};
  const ImageParam keyScales = context.buffer("keys_scale", Float(32), scales);
  const ImageParam values = integers("values", width, positions / run);
  const ImageParam valueScales =
      context.buffer("values_scale", Float(32), scales);
  context.addTokens();
  Expr position = context.scalarInt("position");

  Var j("j"), r("r"), t("t"), b("b"), c("c"), n("n"), lane("lane"), i("i"),
      half("half");
  // The query as integers, and its slow columns in units of the score.
  const float unit = float(std::numbers::log2e / std::sqrt(double(width)));
  Func largest("largest"), size("size"), queryScale("query_scale"),
      query("query"), queryPart("query_part"), querySum("query_sum"),
      slowQuery("slow_query");
  // What is taken of a head's columns is taken by vectors, then of their lanes.
  const int lanesAtOnce = std::gcd(fast, 16);
  RDom vectors(0, fast / lanesAtOnce, 0, 2, "vectors");
  const Expr column = vectors.x * lanesAtOnce + lane;
  const auto lanesOf = [&](const Func &part) {
    return [&, part](int at) -> Expr { return part(at, r, t); };
  };
  const Expr one = magnitude(q(column, vectors.y, r, t));
  largest(lane, r, t) = 0.0f;
  largest(lane, r, t) = max(largest(lane, r, t), one);
  Expr ofLargestQuery =
      treeMax(lanesOf(largest), lanesAtOnce) / float(code.queryUnits);
  if (code.mostSum > 0) {
    size(lane, r, t) = 0.0f;
    size(lane, r, t) += one;
    queryScale(r, t) = max(ofLargestQuery, treeSum(lanesOf(size), lanesAtOnce) /
                                               float(code.mostSum));
  } else {
    queryScale(r, t) = ofLargestQuery;
  }
  query(i, half, r, t) = cast(
      factorType, round(q(i, half, r, t) * inverseScale(queryScale(r, t))));
  if (code.offset) {
    queryPart(lane, r, t) = 0;
    queryPart(lane, r, t) += cast<int32_t>(query(column, vectors.y, r, t));
    querySum(r, t) = treeSum(lanesOf(queryPart), lanesAtOnce);
  }
  if (slow > 0)
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
  RDom quad(0, together, 0, fast / run, 0, 2, "quad"),
      inner(0, slow, 0, 2, "inner");
  RDom pairs(0, apart, "pairs");
  Var pair("pair");
  Func dots("dots"), dot("dot"), sum("sum"), visible("visible"), score("score"),
      highest("highest"), exponent("exponent"), weight("weight"),
      partial("partial");
  Expr keyQuad = (blockOf(b, p) * 2 + quad.z) * (fast / run) + quad.y;
  Expr byte = pair * together + quad.x;
  dots(pair, j, p, r, t, b) = 0;
  dots(pair, j, p, r, t, b) +=
      cast<int32_t>(keys(byte, j, keyQuad)) *
      cast<int32_t>(query(quad.y * run + byte, quad.z, r, t));
  dot(j, p, r, t, b) = code.offset ? querySum(r, t) * -int(code.offset) : 0;
  dot(j, p, r, t, b) += dots(pairs, j, p, r, t, b);
  sum(j, p, r, t, b) =
      cast<float>(dot(j, p, r, t, b)) *
      (keyScales(j, blockOf(b, p)) * (queryScale(r, t) * unit));
  if (slow > 0)
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

  // Codes of weights: words, or halves of 7 bits.
  const int units = int(code.weightUnits), parts = words ? 1 : 2;
  Func scaled("scaled"), top("top"), scaledPart("scaled_part"), unitOf("unit"),
      inverse("inverse"), rounded("rounded"), codes("codes"),
      codePart("code_part"), codeSum("code_sum"), products("products"),
      mixed("mixed");
  scaled(j, p, r, t, b) =
      weight(j, p, r, t, b) *
      select(isVisible, valueScales(j, blockOf(b, p)), 0.0f);
  const auto allScaled = [&](const auto &combine) {
    return overVectors(
        [&](int start, int p) { return scaled(lane + start, p, r, t, b); },
        combine);
  };
  top(lane, r, t, b) = allScaled(larger);
  Expr ofLargest =
      treeMax([&](int at) -> Expr { return top(at, r, t, b); }) / float(units);
  if (code.mostSum > 0) {
    scaledPart(lane, r, t, b) = allScaled(added);
    Expr sum = treeSum([&](int at) -> Expr { return scaledPart(at, r, t, b); });
    unitOf(r, t, b) = max(ofLargest, sum / float(code.mostSum));
  } else {
    unitOf(r, t, b) = ofLargest;
  }
  inverse(r, t, b) = inverseScale(unitOf(r, t, b));
  // The low bits of the sum with a number whose last place is 1.
  rounded(j, p, r, t, b) =
      reinterpret<int32_t>(context.fma(scaled(j, p, r, t, b), inverse(r, t, b),
                                       Expr(kRounder))) &
      units;
  codes(j, half, p, r, t, b) =
      words ? cast(factorType, rounded(j, p, r, t, b))
            : cast(factorType,
                   (rounded(j, p, r, t, b) >> select(half == 0, 7, 0)) & 127);
  if (code.offset) {
    codePart(lane, r, t, b) = overVectors(
        [&](int start, int p) { return rounded(lane + start, p, r, t, b); },
        added);
    codeSum(r, t, b) =
        treeSum([&](int at) -> Expr { return codePart(at, r, t, b); });
  }

  // Halves share a sum, so that a tile of all heads and columns is in
  // registers: high ones, times 128, then low ones.
  const std::string names[] = {"high", "low"};
  std::vector<std::pair<int, RDom>> additions; // updates of `products`
  products(pair, c, r, t, b) = 0;
  for (int part = 0; part < parts; ++part) {
    const RDom of(0, together, 0, kBlock / run, 0, kSpan, names[part]);
    if (part > 0)
      products(pair, c, r, t, b) = products(pair, c, r, t, b) * 128;
    additions.emplace_back(2 * part, of);
    Expr at = pair * together + of.x;
    products(pair, c, r, t, b) +=
        cast<int32_t>(values(at, c, blockOf(b, of.z) * (kBlock / run) + of.y)) *
        cast<int32_t>(codes(of.y * run + at, part, of.z, r, t, b));
  }
  mixed(c, r, t, b) = code.offset ? codeSum(r, t, b) * -int(code.offset) : 0;
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
                    .unit = unitOf(r, t, at),
                    .weights = partial(c % 16, r, t, at),
                    .exponent = exponent(r, t, at)});
  merge.finish(context, position, onePart);

  const AttentionTiles tiles(context);
  merge.schedule(tiles, width, heads);
  const Func y = merge.y;
  for (Func stage : {queryScale, querySum})
    if (stage.defined())
      stage.compute_at(y, t).store_in(MemoryType::Stack).bound_extent(r, heads);
  for (auto [part, user] : {std::pair(largest, queryScale),
                            {size, queryScale},
                            {queryPart, querySum}})
    if (part.defined()) {
      part.compute_at(user, r)
          .store_in(MemoryType::Stack)
          .bound_extent(lane, lanesAtOnce)
          .vectorize(lane);
      part.update().vectorize(lane).unroll(vectors.x).unroll(vectors.y);
    }
  for (auto [stage, columns] : {std::pair(query, fast), {slowQuery, slow}})
    if (stage.defined())
      stage.compute_at(y, t)
          .store_in(MemoryType::Stack)
          .bound_extent(i, columns)
          .bound_extent(half, 2)
          .bound_extent(r, heads)
          .vectorize(i, 4);
  merge.eachBlock(visible)
      .bound_extent(j, kBlock)
      .bound_extent(p, kSpan)
      .vectorize(j);
  merge.eachBlock(score)
      .bound_extent(j, kBlock)
      .bound_extent(p, kSpan)
      .bound_extent(r, heads);
  tiles.loops(score, j, r, p);
  tiles.accumulate(sum, score, j, r);
  if (slow > 0) {
    tiles.add(sum.update(), j, r, inner.x, inner.y);
    tiles.prefetch(sum.update(), slowKeys, inner.x, 2 * slow);
  }
  // Sums of products by pairs, a tile of them in registers, and how they
  // meet.
  const auto tileOf = [&](Stage stage, const Var &x) {
    return stage.split(x, tiles.vector, x, 16)
        .vectorize(x)
        .unroll(tiles.vector)
        .unroll(r);
  };
  const auto addProducts = [&](Stage stage, const Var &x, const RDom &of) {
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
  addProducts(dots.update(), j, quad);
  tiles.prefetch(dots.update(), keys, quad.y, 2 * (fast / run));
  for (const Func &stage : {exponent, unitOf, inverse})
    merge.eachBlock(stage).bound_extent(r, heads);
  for (const Func &stage : {weight, scaled, rounded, codes})
    merge.eachBlock(stage)
        .bound_extent(j, kBlock)
        .bound_extent(p, kSpan)
        .bound_extent(r, heads)
        .vectorize(j, 16)
        .unroll(j);
  codes.bound_extent(half, parts).reorder(half, j).unroll(half);
  const auto lanes = [&](Func stage) -> Func {
    return stage.store_in(MemoryType::Stack)
        .bound_extent(lane, 16)
        .vectorize(lane);
  };
  lanes(merge.eachBlock(partial));
  lanes(highest).compute_at(exponent, r);
  lanes(top).compute_at(unitOf, r);
  if (scaledPart.defined())
    lanes(scaledPart).compute_at(unitOf, r);
  if (code.offset) {
    merge.eachBlock(codeSum).bound_extent(r, heads);
    lanes(codePart).compute_at(codeSum, r);
  }
  byPairs(products, mixed, merge.state, c);
  for (const auto &[update, of] : additions)
    addProducts(products.update(update), c, of);
  if (parts == 2)
    tileOf(products.update(1).reorder(pair, c, r), c).vectorize(pair);
  tiles.prefetch(products.update(0), values, additions[0].second.y,
                 kBlock / run);
}

std::vector<double> int8Query(const Trial &trial, int64_t t, int64_t r) {
  const int64_t width = trial.dim("c");
  std::vector<double> query;
  float peak = 0;
  for (int64_t c = 0; c < width; ++c) {
    query.push_back(trial.in("q", t, r * width + c));
    if (!keyColumn(trial.cacheCode(), c, width).slow)
      peak = std::max(peak, std::fabs(float(query.back())));
  }
  const float scale = peak / 127.0f;
  for (int64_t c = 0; c < width; ++c)
    if (double &x = query[size_t(c)];
        !keyColumn(trial.cacheCode(), c, width).slow && scale > 0)
      x = double(scale) * std::nearbyint(float(x) * (1.0f / scale));
  return query;
}

double wordsBound(const Trial &trial, int64_t t, int64_t r, int64_t count) {
  const int64_t width = trial.dim("c");
  double peak = 0, sum = 0, most = 0;
  for (int64_t c = 0; c < width; ++c) {
    const double magnitude = std::fabs(trial.in("q", t, r * width + c));
    peak = std::max(peak, magnitude);
    sum += magnitude;
  }
  for (int64_t s = 0; s < count; ++s) {
    double squares = 0;
    for (int64_t c = 0; c < width; ++c)
      squares += std::pow(trial.key(s, c), 2);
    most = std::max(most, squares);
  }
  const CacheCode &code = *trial.cacheCode();
  return kWorst * code.unit(code.queryUnits, peak, sum) * std::sqrt(most / 12);
}

double codedWeightsBound(const Trial &trial, const std::vector<double> &weights,
                         double sum, int64_t c) {
  const CacheCode &code = *trial.cacheCode();
  double loss = 0, squares = 0;
  for (size_t begin = 0; begin < weights.size(); begin += kCodedPositions) {
    const size_t end =
        std::min(begin + size_t(kCodedPositions), weights.size());
    double peak = 0, whole = 0, quants = 0;
    for (size_t s = begin; s < end; ++s) {
      const double scale = trial.valueScale(int64_t(s)),
                   value = trial.value(int64_t(s), c),
                   scaled = weights[s] / sum * scale;
      peak = std::max(peak, scaled);
      whole += scaled;
      quants += std::pow(value / scale, 2);
      squares += std::pow(weights[s] / sum * value, 2);
    }
    loss += std::pow(code.unit(code.weightUnits, peak, whole), 2) / 12 * quants;
  }
  return kWorst * (std::sqrt(loss) + kEpsilon * std::sqrt(squares));
}

} // namespace qwen::codegen
