// CodedRows.h - heads of rows as a cache of integers keeps them.
//
// Shapes    (i, half, head, token): column i of a half of a head
// Numerics  those of cache_layout.h
#pragma once

#include "codegen/kernels/Math.h"

#include <numeric>

namespace qwen::codegen {

/// The integers and the scales of heads of rows: two outputs of a pipeline, of
/// which each computes the largest magnitude of a head for itself.
class CodedRows {
public:
  const Halide::Type type; // of integers
  const int lanes;         // of columns, to make vectors of
  Halide::Var i{"i"}, half{"half"}, head{"head"};

  /// Of `x` the first `columns` of each half.
  CodedRows(const CacheCode &code, const Halide::ImageParam &x, int columns)
      : type(code.type == "i16" ? Halide::Int(16) : Halide::UInt(8)),
        lanes(std::gcd(columns, 16)), columns(columns),
        largest(float(code.largest)), vectors(0, columns / lanes, 0, 2) {
    using namespace Halide;
    for (Peak &peak : peaks) {
      peak.part(lane, head, token) = 0.0f;
      peak.part(lane, head, token) =
          max(peak.part(lane, head, token),
              magnitude(x(vectors.x * lanes + lane, vectors.y, head, token)));
      peak.of(head, token) =
          tree([&](int at) -> Expr { return peak.part(at, head, token); },
               [](Expr a, Expr b) { return max(a, b); }, 0, 1, lanes);
    }
    inverse(head, token) = inverseScale(peaks[0].of(head, token) / largest);
    rounded(i, half, head, token) = cast(
        type, int(code.offset) + cast<int32_t>(round(x(i, half, head, token) *
                                                     inverse(head, token))));
  }

  Halide::Expr integer(const Halide::Expr &i, const Halide::Expr &half,
                       const Halide::Expr &token) const {
    return rounded(i, half, head, token);
  }

  /// Adds the output of scales, for rows at the positions `at`, and schedules:
  /// `integers` has a loop over heads within that over rows, `row`.
  void finish(BuildContext &context, const Halide::Func &integers,
              const Halide::RVar &row, const Halide::Expr &at) {
    using namespace Halide;
    const int heads = context.dim("g"), positions = context.dim("s");
    Var place("place");
    Func scales("scales");
    scales(place, head) = undef(Float(32));
    scales(at, head) = peaks[1].of(head, row) / largest;
    context.output(scales, {{positions, 1}, {heads, positions}});
    scales.bound(head, 0, heads).update().reorder(head, row);
    rounded.compute_at(integers, head)
        .store_in(MemoryType::Stack)
        .bound_extent(i, columns)
        .bound_extent(half, 2)
        .vectorize(i, lanes);
    inverse.compute_at(integers, head).store_in(MemoryType::Stack);
    for (auto [peak, user] :
         {std::pair(peaks[0], integers), {peaks[1], scales}}) {
      peak.of.compute_at(user, head).store_in(MemoryType::Stack);
      peak.part.compute_at(user, head)
          .store_in(MemoryType::Stack)
          .bound_extent(lane, lanes)
          .vectorize(lane)
          .update()
          .vectorize(lane);
    }
  }

private:
  struct Peak {
    Halide::Func part{"peak_part"}, of{"peak"};
  };
  const int columns;
  const float largest;
  const Halide::RDom vectors;
  Halide::Var lane{"lane"}, token{"token"};
  Peak peaks[2];
  Halide::Func inverse{"inverse"}, rounded{"rounded"};
};

} // namespace qwen::codegen
