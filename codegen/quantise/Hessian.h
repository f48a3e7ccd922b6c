// Hessian.h - what a linear's inputs say about the cost of errors in its
// weights, and its factors.
//
// Shapes   H [K, K]: the sum of x xᵀ over the rows x of an input
// Numerics f32 sums, f64 factors, by OpenBLAS: other CPUs round otherwise
// Source   GPTQ (arXiv:2210.17323), eq. 1; QuIP (arXiv:2307.13304), LDLQ
#pragma once

#include <cstdint>
#include <vector>

namespace qwen::quantise {

/// H = U D Uᵀ: of an error E of a weight [N, K], the sum of the squares of E x
/// over all x is that of (E U)² D.
struct Factors {
  int64_t width = 0;         // K
  std::vector<float> upper;  // U [K, K], ones on the diagonal, zeros below
  std::vector<float> pivots; // D [K]
};

class Hessian {
public:
  explicit Hessian(int64_t width);

  /// Adds `count` rows [count, K].
  void add(const float *rows, int64_t count);

  /// Factors of H and a part of its diagonal, so that inputs that were seen
  /// seldom or never don't count for nothing. Not a finite value among the
  /// rows: those of the identity.
  Factors factors() const;

private:
  int64_t width;
  std::vector<float> sums; // the upper triangle
};

/// Threads of OpenBLAS from here on.
void setThreads(int64_t threads);

} // namespace qwen::quantise
