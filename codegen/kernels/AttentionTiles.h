// AttentionTiles.h - what attention over any cache shares: tiles of heads by
// vectors, and the merging of blocks of positions and of their spans.
//
// Shapes    tiles (x, r): x is a position of a block or a column, r a head
// Numerics  sums and weighted values are merged by powers of two, ascending:
// exact but for the additions
#pragma once

#include "codegen/kernels/Math.h"
#include "qwen/cache_layout.h"

#include <limits>

namespace qwen::codegen {

/// Tiles of the knobs `heads` and `columns`, all of a tile in registers.
class AttentionTiles {
public:
  const int heads, columns;
  Halide::Var headTile{"headTile"}, columnTile{"columnTile"}, vector{"vector"};

  explicit AttentionTiles(const BuildContext &context)
      : heads(context.knob("heads")), columns(16 * context.knob("columns")),
        ahead(context.knob("prefetch")) {}

  /// Loops over tiles of a stage (x, r), and over `outer` around them.
  void loops(Halide::Stage stage, const Halide::Var &x, const Halide::Var &r,
             const Halide::VarOrRVar &outer) const {
    stage.split(x, columnTile, x, columns)
        .split(x, vector, x, 16)
        .split(r, headTile, r, heads)
        .reorder(x, vector, r, columnTile, headTile, outer)
        .vectorize(x)
        .unroll(vector)
        .unroll(r);
  }

  /// A tile of accumulators (x, r) of `user`'s loops.
  void accumulate(Halide::Func sums, const Halide::Func &user,
                  const Halide::Var &x, const Halide::Var &r) const {
    using namespace Halide;
    sums.compute_at(user, columnTile)
        .store_in(MemoryType::Stack)
        .bound_extent(x, columns)
        .bound_extent(r, heads)
        .vectorize(x, 16)
        .unroll(x)
        .unroll(r);
  }

  /// An update of such sums, with the loops `terms` around the tile.
  template <typename... Terms>
  void add(Halide::Stage update, const Halide::Var &x, const Halide::Var &r,
           const Terms &...terms) const {
    update.split(x, vector, x, 16)
        .reorder(x, vector, r, terms...)
        .vectorize(x)
        .unroll(vector)
        .unroll(r);
  }

  /// Asks for what the loop `over` in an update of such sums reads of a plane
  /// of the cache `ahead` blocks later, where a block is `extent` iterations:
  /// planes go on over the blocks without gaps. A core follows the planes of
  /// keys and values too late by itself.
  void prefetch(Halide::Stage update, const Halide::ImageParam &plane,
                const Halide::RVar &over, int extent) const {
    if (ahead > 0)
      update.prefetch(plane, over, over, ahead * extent,
                      Halide::PrefetchBoundStrategy::NonFaulting);
  }

private:
  const int ahead; // blocks
};

/// What is known of some positions: weighted values in units of `unit` (of 1 if
/// left out), the sum of the weights or a part of it, and the exponent of both.
struct WeightedSums {
  Halide::Expr values, unit, weights, exponent;
};

/// `before` (values, weights, exponent) with `added`.
inline Halide::Tuple merged(const BuildContext &context,
                            const Halide::Tuple &before,
                            const WeightedSums &added) {
  using namespace Halide;
  Expr last = before[2], now = added.exponent;
  Expr shrink = powerOfTwo(-abs(last - now));
  Expr keep = select(last >= now, Expr(1.0f), shrink),
       take = select(last >= now, shrink, Expr(1.0f));
  return {context.fma(added.values,
                      added.unit.defined() ? take * added.unit : take,
                      before[0] * keep),
          context.fma(added.weights, take, before[1] * keep), max(last, now)};
}

/// Of no position.
inline Halide::Tuple noSums() {
  return {Halide::Expr(0.0f), Halide::Expr(0.0f),
          Halide::Expr(-std::numeric_limits<float>::infinity())};
}

/// y (c, r, t) from the blocks of positions of each span n, and from spans; or
/// the sums of one span.
class BlockMerge {
public:
  /// What is added is that of block `block` of span `n`; its weights are the
  /// partial sum c mod 16.
  BlockMerge(const BuildContext &context, const Halide::Var &c,
             const Halide::Var &r, const Halide::Var &t, const Halide::Var &n,
             const Halide::RDom &block, const WeightedSums &added)
      : c(c), r(r), t(t), n(n), block(block) {
    state(c, r, t, n) = noSums();
    state(c, r, t, n) = merged(context, state(c, r, t, n), added);
    weights(r, t, n) =
        treeSum([&](int i) -> Halide::Expr { return state(i, r, t, n)[1]; });
  }

  /// Makes the output y of the kernel: attention over a cache of S positions,
  /// or the parts of a row.
  void finish(BuildContext &context, const Halide::Expr &position,
              bool onePart) {
    const int width = context.dim("c"), heads = context.dim("r"),
              rowHeads = context.dim("h"), positions = context.dim("s");
    if (onePart) {
      finishPart(width);
      context.output(y,
                     context.partRows(int(partWidth(width)), heads, rowHeads));
      return;
    }
    finishRow(context, position, positions <= kSpanPositions);
    context.output(y, context.headRows(width, heads, rowHeads));
  }

  Halide::Func y{"y"};
  Halide::Func state{"state"};

  /// A stage that is computed for each block.
  Halide::Func eachBlock(Halide::Func stage) const {
    return stage.compute_at(state, block).store_in(Halide::MemoryType::Stack);
  }

  /// After finish.
  void schedule(const AttentionTiles &tiles, int width, int heads) {
    using namespace Halide;
    y.bound(r, 0, heads);
    if (isPart)
      y.bound(lane, 0, 16)
          .bound(vector, 0, int(partWidth(width)) / 16)
          .vectorize(lane)
          .unroll(vector);
    else
      y.bound(c, 0, width).vectorize(c, 16);
    const auto sums = [&](Func stage) {
      stage.store_in(MemoryType::Stack)
          .bound_extent(c, width)
          .bound_extent(r, heads)
          .vectorize(c, 16);
    };
    if (total.defined()) {
      total.compute_at(y, t);
      sums(total);
      total.update().reorder(c, r, spans.x).vectorize(c, 16);
      state.compute_at(total, spans.x);
      weights.compute_at(total, spans.x).bound_extent(r, heads);
    } else {
      state.compute_at(y, t);
      weights.compute_at(y, r);
    }
    weights.store_in(MemoryType::Stack);
    sums(state);
    tiles.loops(state.update(), c, r, RVar(block));
  }

private:
  /// y (c, r, t) of all spans.
  void finishRow(const BuildContext &context, const Halide::Expr &position,
                 bool oneSpan) {
    constexpr int kSpan = int(kSpanPositions);
    if (oneSpan) {
      y(c, r, t) = state(c, r, t, 0)[0] / weights(r, t, 0);
      return;
    }
    // What is merged of a span beyond a row's position is 0.
    spans = Halide::RDom(0, (position + context.tokens() + kSpan - 1) / kSpan,
                         "spans");
    total(c, r, t) = noSums();
    total(c, r, t) = merged(context, total(c, r, t),
                            {.values = state(c, r, t, spans)[0],
                             .unit = {},
                             .weights = weights(r, t, spans),
                             .exponent = state(c, r, t, spans)[2]});
    y(c, r, t) = total(c, r, t)[0] / total(c, r, t)[1];
  }

  /// The part of a row, y (lane, vector, r, t), of the only span there is.
  void finishPart(int width) {
    using namespace Halide;
    const int vectors = width / 16;
    Expr sums = state(min(vector, vectors - 1) * 16 + lane, r, t, 0)[0];
    Expr rest = select(lane == 0, weights(r, t, 0), lane == 1,
                       state(0, r, t, 0)[2], 0.0f);
    y(lane, vector, r, t) = select(vector < vectors, sums, rest);
    isPart = true;
  }

  Halide::Func total{"total"}, weights{"weights"};
  Halide::Var c, r, t, n, lane{"lane"}, vector{"vector"};
  Halide::RDom block, spans;
  bool isPart = false;
};

} // namespace qwen::codegen
