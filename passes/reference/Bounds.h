// Bounds.h - how far a result of f32 arithmetic may be from the f64 one, where
// both start from the same inputs.
//
// Numerics  each of n roundings of a sum of random sign adds about half an ulp
//           of the partial sum: |error| <= m ε √n ‖terms‖, m for the worst of
//           many; what follows a sum passes its error on by first derivatives
// Source    the bounds that kernels are checked by
//           (codegen/kernels/*.cpp, reference)
#pragma once

#include "passes/reference/Arithmetic.h"

#include <cmath>

namespace qwen::reference {

inline constexpr double kEpsilon = 0x1p-23; // of f32

/// A value and what a right one may differ by.
struct Bounded {
  Rows value, bound;
};

/// Of a sum with these squares of its terms.
inline double sumBound(int64_t terms, double squares, double value) {
  constexpr double kMargin = 2;
  return kMargin * kEpsilon *
             (std::sqrt(double(terms) * squares) + std::fabs(value)) +
         1e-30;
}

/// Squares of the terms that a kernel adds for a · b: products, or with
/// `grouped` the sums over the groups of a scale and of a minimum.
double termSquares(const double *a, const double *b, int64_t size,
                   bool grouped);
/// How many they are.
int64_t termCount(int64_t size, bool grouped);

/// Bounds of the results of ops on `x` and its bounds.
Rows rmsNormBound(const Bounded &x, const std::vector<double> &weight,
                  double eps);
Rows ropeBound(const Bounded &x, double theta, int64_t headWidth,
               int64_t position);
Rows swigluBound(const Bounded &gate, const Bounded &up);
Rows addBound(const Bounded &a, const Rows &b);

/// Of attention over exact inputs, whose scores and softmax are `between`.
Rows attentionBound(const Rows &q, const Cache &keys, const Cache &values,
                    int64_t headWidth, int64_t position,
                    const AttentionRows &between);

/// Of the parts of its spans; what of them is beyond the position has none.
Rows attentionSpansBound(const Rows &q, const Cache &keys, const Cache &values,
                         int64_t headWidth, int64_t position,
                         const AttentionRows &between);
/// Of the merging of parts that are exact.
Rows attentionMergeBound(const Rows &parts, int64_t heads, int64_t headWidth,
                         int64_t position);

/// Of rows quantised to q8g32: half a step.
Rows quantizeBound(const Rows &x);

/// Of rows kept in a cache: half a step of its element.
void addCacheRounding(Bounded &x, const Cache &cache);

} // namespace qwen::reference
