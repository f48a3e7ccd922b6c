// Math.h - elementary functions and fixed-order reductions in f32, as Halide
// expressions.
//
// Numerics  exp: under 1.5 ulp for x in [-87.33, 0], exactly 0 below, and 2^x
// likewise for x in [-126, 0]; every step is an fma or an exact operation
#pragma once

#include "codegen/kernels/Kernel.h"

namespace qwen::codegen {

/// Added to a small x, rounds it to an integer: the last place is 1, and the
/// low bits hold the integer.
inline constexpr float kRounder = 0x1.8p23f;

/// |x|. Halide's abs and round are calls of 256 bits, and LLVM then keeps in
/// halves even the sums that reach them, through the loops that make them.
inline Halide::Expr magnitude(const Halide::Expr &x) {
  using namespace Halide;
  return reinterpret<float>(reinterpret<uint32_t>(x) & 0x7fffffffu);
}

/// exp(x) for x <= 0; -inf gives 0.
inline Halide::Expr expNegative(const BuildContext &context, Halide::Expr x) {
  using namespace Halide;
  constexpr float kSmallest = -87.33654f; // below, 2^n leaves the normal range
  Expr clamped = max(x, kSmallest);
  Expr shifted = clamped * 1.44269504f + kRounder;
  Expr n = shifted - kRounder;
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
  Expr bits = reinterpret<uint32_t>(p) + (reinterpret<uint32_t>(shifted) << 23);
  return select(x < kSmallest, 0.0f, reinterpret<float>(bits));
}

/// 2^x for x <= 0; -inf gives 0.
inline Halide::Expr exp2Negative(const BuildContext &context, Halide::Expr x) {
  using namespace Halide;
  constexpr float kSmallest = -126.0f; // below, 2^n leaves the normal range
  Expr clamped = max(x, kSmallest);
  Expr shifted = clamped + kRounder;
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
  Expr biased = max(n, -127.0f) + (kRounder + 127.0f);
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
  Expr e = expNegative(context, -magnitude(x));
  return x * select(x >= 0.0f, Expr(1.0f), e) / (1.0f + e);
}

/// Combines values, a power of two of them, by halves: of 16 first i and i + 8,
/// then i and i + 4, ...
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

template <typename At> Halide::Expr treeSum(At at, int count = 16) {
  return tree(
      at, [](Halide::Expr a, Halide::Expr b) { return a + b; }, 0, 1, count);
}
template <typename At> Halide::Expr treeMax(At at, int count = 16) {
  return tree(
      at, [](Halide::Expr a, Halide::Expr b) { return Halide::max(a, b); }, 0,
      1, count);
}

} // namespace qwen::codegen
