// AttentionTiles.h - what attention over any cache shares: tiles of heads by
// vectors, and the merging of blocks of positions.
//
// Shapes    tiles (x, r): x is a position of a block or a column, r a head
// Numerics  sums and weighted values are merged by powers of two, ascending:
// exact but for the additions
#pragma once

#include "codegen/kernels/Math.h"

#include <limits>

namespace qwen::codegen {

/// Tiles of the knobs `heads` and `columns`, all of a tile in registers.
class AttentionTiles {
public:
  const int heads, columns;
  Halide::Var headTile{"headTile"}, columnTile{"columnTile"}, vector{"vector"};

  explicit AttentionTiles(const BuildContext &context)
      : heads(context.knob("heads")), columns(16 * context.knob("columns")) {}

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
};

/// y (c, r, t) from blocks of positions: the running weighted values, partial
/// sum c mod 16 of the weights, and exponent of both.
class BlockMerge {
public:
  /// What one block adds: its `values` are in units of `unit`, of 1 if left
  /// out.
  struct Block {
    Halide::Expr values, unit, partial, exponent;
  };

  BlockMerge(const BuildContext &context, const Halide::Var &c,
             const Halide::Var &r, const Halide::Var &t,
             const Halide::RDom &block, const Block &added)
      : c(c), r(r), t(t), block(block) {
    using namespace Halide;
    state(c, r, t) = Tuple(Expr(0.0f), Expr(0.0f),
                           Expr(-std::numeric_limits<float>::infinity()));
    Expr before = state(c, r, t)[2], now = added.exponent;
    Expr shrink = powerOfTwo(-abs(before - now));
    Expr keep = select(before >= now, Expr(1.0f), shrink),
         take = select(before >= now, shrink, Expr(1.0f));
    state(c, r, t) =
        Tuple(context.fma(added.values,
                          added.unit.defined() ? take * added.unit : take,
                          state(c, r, t)[0] * keep),
              context.fma(added.partial, take, state(c, r, t)[1] * keep),
              max(before, now));
    total(r, t) = treeSum([&](int i) -> Expr { return state(i, r, t)[1]; });
    y(c, r, t) = state(c, r, t)[0] / total(r, t);
  }

  Halide::Func y{"y"};
  Halide::Func state{"state"};

  /// The loop over blocks.
  Halide::LoopLevel atBlock() const { return {state, block}; }

  void schedule(const AttentionTiles &tiles, int width, int heads) {
    using namespace Halide;
    y.bound(c, 0, width).bound(r, 0, heads).vectorize(c, 16);
    total.compute_at(y, r).store_in(MemoryType::Stack);
    state.compute_at(y, t)
        .store_in(MemoryType::Stack)
        .bound_extent(c, width)
        .bound_extent(r, heads)
        .vectorize(c, 16);
    tiles.loops(state.update(), c, r, RVar(block));
  }

private:
  Halide::Func total{"total"};
  Halide::Var c, r, t;
  Halide::RDom block;
};

} // namespace qwen::codegen
