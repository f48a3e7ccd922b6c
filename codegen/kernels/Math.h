// Math.h - elementary functions and fixed-order reductions in f32, as Halide
// expressions.
//
// Numerics  exp: under 1.5 ulp for x in [-87.33, 0], exactly 0 below, and 2^x
// likewise for x in [-126, 0]; every step is an fma or an exact operation
#pragma once

#include "codegen/kernels/Kernel.h"

namespace qwen::codegen {

/// exp(x) for x <= 0; -inf gives 0.
inline Halide::Expr expNegative(const BuildContext &context, Halide::Expr x) {
  using namespace Halide;
  constexpr float kSmallest = -87.33654f; // below, 2^n leaves the normal range
  Expr clamped = max(x, kSmallest);
  Expr n = round(clamped * 1.44269504f);
  // ln 2 in two parts: the first has 15 trailing zero bits, so n * high is
  // exact.
  Expr r = context.fma(n, -0.693359375f, clamped);
  r = context.fma(n, 2.12194440e-4f, r);
  // Minimax coefficients of exp on [-ln2/2, ln2/2] (Cephes expf).
  Expr p = 1.9875691500e-4f;
  for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                  1.6666665459e-1f, 5.0000001201e-1f})
    p = context.fma(p, r, c);
  p = context.fma(p, r * r, r) + 1.0f;
  Expr bits = reinterpret<int32_t>(p) + (cast<int32_t>(n) << 23);
  return select(x < kSmallest, 0.0f, reinterpret<float>(bits));
}

/// 2^x for x <= 0; -inf gives 0.
inline Halide::Expr exp2Negative(const BuildContext &context, Halide::Expr x) {
  using namespace Halide;
  constexpr float kSmallest = -126.0f;  // below, 2^n leaves the normal range
  constexpr float kRounder = 0x1.8p23f; // its last place is 1
  Expr clamped = max(x, kSmallest);
  Expr shifted = clamped + kRounder; // the low bits hold the integer n
  Expr f = clamped - (shifted - kRounder);
  // Minimax coefficients of (2^f - 1) / f on [-1/2, 1/2] (Cephes exp2f).
  Expr p = 1.535336188319500e-4f;
  for (float c :
       {1.339887440266574e-3f, 9.618437357674640e-3f, 5.550332471162809e-2f,
        2.402264791363012e-1f, 6.931472028550421e-1f, 1.0f})
    p = context.fma(p, f, c);
  Expr bits = reinterpret<uint32_t>(p) + (reinterpret<uint32_t>(shifted) << 23);
  return select(x < kSmallest, 0.0f, reinterpret<float>(bits));
}

/// 2^n for an integer n <= 0, exactly; 0 below the normal range.
inline Halide::Expr powerOfTwo(Halide::Expr n) {
  using namespace Halide;
  Expr biased = max(n, -127.0f) + (0x1.8p23f + 127.0f);
  return reinterpret<float>(reinterpret<uint32_t>(biased) << 23);
}

/// 1 / scale, by which a group becomes bytes; 0, and all of it is zero, where
/// the group is too small to scale.
inline Halide::Expr inverseScale(Halide::Expr scale) {
  using namespace Halide;
  constexpr float kSmallestScale = 1e-30f; // its inverse is finite
  return select(scale > kSmallestScale, 1.0f / max(scale, kSmallestScale),
                0.0f);
}

/// x / (1 + exp(-x)), without overflow on either side.
inline Halide::Expr silu(const BuildContext &context, Halide::Expr x) {
  using namespace Halide;
  Expr e = expNegative(context, -abs(x));
  return x * select(x >= 0.0f, Expr(1.0f), e) / (1.0f + e);
}

/// Combines 16 values by halves: i and i + 8, then i and i + 4, ...
template <typename At, typename Combine>
Halide::Expr tree(At at, Combine combine, int first = 0, int step = 1,
                  int count = 16) {
  if (count == 1)
    return at(first);
  // Leaves `first` and `first + 8` meet at the bottom, so the recursion takes
  // even and odd indices apart first.
  return combine(tree(at, combine, first, step * 2, count / 2),
                 tree(at, combine, first + step, step * 2, count / 2));
}

template <typename At> Halide::Expr treeSum(At at) {
  return tree(at, [](Halide::Expr a, Halide::Expr b) { return a + b; });
}
template <typename At> Halide::Expr treeMax(At at) {
  return tree(at,
              [](Halide::Expr a, Halide::Expr b) { return Halide::max(a, b); });
}

} // namespace qwen::codegen
