// PairSums.h - integer dots where no instruction adds four products: sums of
// two products, by lanes, that meet once a group.
//
// Shapes    sums (pair, lane, panel, token, part): pair 0 has k % 4 of 0 and 1,
// pair 1 of 2 and 3; a group has one part, or several where 16 bits hold no
// more
// Numerics  exact: `most` says how many sums of two 16 bits hold
#pragma once

#include "codegen/kernels/Kernel.h"

#include <algorithm>
#include <functional>

namespace qwen::codegen {

class PairSums {
public:
  /// An operand at (quad of a group, k % 4, group).
  using At = std::function<Halide::Expr(Halide::Expr quad, Halide::Expr j,
                                        Halide::Expr group)>;

  /// Adds the dots to `dot` (lane, panel, token, group), which has its start.
  /// `bits` of a sum: 16 (vpmaddubsw) or 32 (vpmaddwd).
  void addTo(Halide::Func dot, int bits, int quads, int64_t largestQuant,
             const At &quant, const At &value) {
    using namespace Halide;
    const std::vector<Var> at = dot.args();
    lane = at[0], panel = at[1], token = at[2];
    const int run =
        bits == 16 ? int(std::min<int64_t>(quads, most(largestQuant))) : quads;
    const int count = quads / run;
    sums = Func(dot.name() + "_sums");
    products = RDom(0, 2, 0, run, "pairs");
    Expr quad = part % count * run + products.y, j = pair * 2 + products.x;
    Expr q = quant(quad, j, part / count), x = value(quad, j, part / count);
    sums(pair, lane, panel, token, part) = cast(Int(bits), 0);
    Expr sum = sums(pair, lane, panel, token, part);
    // Nothing saturates; it is the instruction's name that does.
    sums(pair, lane, panel, token, part) =
        bits == 16 ? saturating_add(sum, widening_mul(q, x))
                   : sum + cast<int32_t>(q) * cast<int32_t>(x);
    parts = RDom(0, 2, 0, count, "parts");
    dot(lane, panel, token, at[3]) += cast<int32_t>(
        sums(parts.x, lane, panel, token, at[3] * count + parts.y));
  }

  bool defined() const { return sums.defined(); }

  void schedule(Halide::Func dot, const Halide::LoopLevel &level, int panels) {
    using namespace Halide;
    dot.update()
        .reorder({parts.x, lane, panel, token, parts.y})
        .atomic()
        .vectorize(parts.x)
        .vectorize(lane)
        .unroll(panel)
        .unroll(token)
        .unroll(parts.y);
    sums.compute_at(level)
        .store_in(MemoryType::Stack)
        .bound_extent(pair, 2)
        .bound_extent(lane, 16)
        .bound_extent(panel, panels)
        .vectorize(pair)
        .vectorize(lane)
        .unroll(panel)
        .unroll(token)
        .unroll(part);
    sums.update()
        .reorder({products.x, pair, lane, panel, token, products.y, part})
        .atomic(/*override_associativity_test=*/true)
        .vectorize(products.x)
        .vectorize(pair)
        .vectorize(lane)
        .unroll(panel)
        .unroll(token)
        .unroll(products.y)
        .unroll(part);
  }

private:
  Halide::Func sums;
  Halide::RDom products, parts;
  Halide::Var pair{"pair"}, part{"part"}, lane, panel, token;

  /// Sums of two products of a quant and an i8 that fit 16 bits; a power of
  /// two.
  static int64_t most(int64_t largestQuant) {
    int64_t count = 1;
    while (2 * count * kLargestPair * largestQuant <= INT16_MAX)
      count *= 2;
    return count;
  }
};

} // namespace qwen::codegen
