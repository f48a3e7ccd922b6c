// PairSums.h - integer dots where no instruction adds four products: sums of
// two products, by lanes, that meet once a group.
//
// Shapes    sums (pair, lane, panel, token, part): pair 0 has k % 4 of 0 and 1,
// pair 1 of 2 and 3; a group has a part for each run of quads whose sum 16 bits
// hold, and for each digit of its quants. twos: the same by quads, added up
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
  /// `bits` of a sum: 16 (vpmaddubsw; quants that are too large for it go in
  /// two digits of four bits) or 32 (vpmaddwd).
  void addTo(Halide::Func dot, int bits, int quads, int64_t largestQuant,
             const At &quant, const At &value) {
    using namespace Halide;
    const std::vector<Var> at = dot.args();
    lane = at[0], panel = at[1], token = at[2];
    const int digits = bits == 16 && most(largestQuant) == 0 ? 2 : 1;
    const int run =
        bits == 16 ? int(std::min<int64_t>(
                         quads, most(digits == 2 ? kDigit - 1 : largestQuant)))
                   : quads;
    const int runs = quads / run, count = runs * digits;
    sums = Func(dot.name() + "_sums");
    twos = Func(dot.name() + "_twos");
    product = RDom(0, 2, "product");
    quadsOfRun = RDom(0, run, "quads");
    Expr inGroup = part / digits % runs * run + quad, j = pair * 2 + product,
         group = part / count;
    Expr q = quant(inGroup, j, group), x = value(inGroup, j, group);
    if (digits == 2)
      q = select(part % digits == 0, q & cast<uint8_t>(kDigit - 1),
                 q / cast<uint8_t>(kDigit));
    twos(pair, lane, panel, token, quad, part) = cast(Int(bits), 0);
    Expr two = twos(pair, lane, panel, token, quad, part);
    // Nothing saturates; it is the instruction's name that does.
    twos(pair, lane, panel, token, quad, part) =
        bits == 16 ? saturating_add(two, widening_mul(q, x))
                   : two + cast<int32_t>(q) * cast<int32_t>(x);
    sums(pair, lane, panel, token, part) = cast(Int(bits), 0);
    sums(pair, lane, panel, token, part) +=
        twos(pair, lane, panel, token, quadsOfRun, part);
    parts = RDom(0, 2, 0, count, "parts");
    Expr sum = cast<int32_t>(
        sums(parts.x, lane, panel, token, at[3] * count + parts.y));
    if (digits == 2)
      sum *= select(parts.y % digits == 0, 1, kDigit);
    dot(lane, panel, token, at[3]) += sum;
  }

  bool defined() const { return sums.defined(); }

  /// Vector registers that one panel's sums take for one token.
  int registers(int64_t lanes) const {
    return int(2 * kPanelRows * sums.type().bits() / (32 * lanes));
  }

  void schedule(Halide::Func dot, int panels) {
    using namespace Halide;
    dot.update()
        .reorder({parts.x, lane, panel, token, parts.y})
        .atomic()
        .vectorize(parts.x)
        .vectorize(lane)
        .unroll(panel)
        .unroll(token)
        .unroll(parts.y);
    sums.compute_at(dot, parts.y)
        .store_in(MemoryType::Stack)
        .bound_extent(pair, 2)
        .bound_extent(lane, 16)
        .bound_extent(panel, panels)
        .vectorize(pair)
        .vectorize(lane)
        .unroll(panel)
        .unroll(token);
    sums.update()
        .reorder({pair, lane, panel, token, quadsOfRun})
        .vectorize(pair)
        .vectorize(lane)
        .unroll(panel)
        .unroll(token)
        .unroll(quadsOfRun);
    twos.compute_at(sums, panel)
        .store_in(MemoryType::Stack)
        .bound_extent(pair, 2)
        .bound_extent(lane, 16)
        .vectorize(pair)
        .vectorize(lane);
    twos.update()
        .reorder({product, pair, lane, panel, token})
        .atomic(/*override_associativity_test=*/true)
        .vectorize(product)
        .vectorize(pair)
        .vectorize(lane);
  }

private:
  Halide::Func sums, twos;
  Halide::RDom product, quadsOfRun, parts;
  Halide::Var pair{"pair"}, quad{"quad"}, part{"part"}, lane, panel, token;

  // Two products of a quant and an i8 are at most this often the quant.
  static constexpr int64_t kLargestPair = 2 * 128;
  static constexpr int kDigit = 16;

  /// Sums of two products of a quant and an i8 that fit 16 bits; a power of
  /// two, or 0.
  static int64_t most(int64_t largestQuant) {
    int64_t held = 0;
    for (int64_t count = 1; count * kLargestPair * largestQuant <= INT16_MAX;
         count *= 2)
      held = count;
    return held;
  }
};

} // namespace qwen::codegen
