// Hessian.cpp - sums and factors by OpenBLAS.
#include "codegen/quantise/Hessian.h"

#include <algorithm>
#include <cblas.h>
#include <cmath>

// LAPACK's own interface, which libopenblas has: Cholesky factors in place.
extern "C" void dpotrf_(const char *triangle, const int *order, double *matrix,
                        const int *stride, int *failed);

namespace qwen::quantise {
namespace {

// What is added to the diagonal, as parts of each entry and of their mean.
constexpr double kOwnDamping = 0.01;
constexpr double kMeanDamping = 0.001;

Factors identity(int64_t width) {
  Factors factors{width, std::vector<float>(size_t(width * width)),
                  std::vector<float>(size_t(width), 1)};
  for (int64_t k = 0; k < width; ++k)
    factors.upper[size_t(k * width + k)] = 1;
  return factors;
}

} // namespace

Hessian::Hessian(int64_t width)
    : width(width), sums(size_t(width * width), 0) {}

void Hessian::add(const float *rows, int64_t count) {
  cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, int(width), int(count), 1,
              rows, int(width), 1, sums.data(), int(width));
}

Factors Hessian::factors() const {
  double mean = 0;
  for (int64_t k = 0; k < width; ++k)
    mean += double(sums[size_t(k * width + k)]) / double(width);
  if (!(mean > 0) || !std::isfinite(mean))
    return identity(width);
  // Reversed in both directions, a lower factor is the upper one that is
  // wanted. LAPACK counts by columns: its lower triangle is an upper one here.
  std::vector<double> reversed(static_cast<size_t>(width * width));
  for (int64_t i = 0; i < width; ++i)
    for (int64_t j = i; j < width; ++j)
      reversed[size_t((width - 1 - j) * width + width - 1 - i)] =
          double(sums[size_t(i * width + j)]);
  for (int64_t k = 0; k < width; ++k) {
    double &entry = reversed[size_t(k * width + k)];
    entry += kOwnDamping * entry + kMeanDamping * mean;
  }
  const int order = int(width);
  int failed = 0;
  dpotrf_("L", &order, reversed.data(), &order, &failed);
  if (failed != 0)
    return identity(width);
  // Row j of `reversed` is column j of the lower factor.
  Factors factors = identity(width);
  for (int64_t k = 0; k < width; ++k) {
    const int64_t column = width - 1 - k;
    const double pivot = reversed[size_t(column * width + column)];
    factors.pivots[size_t(k)] = float(pivot * pivot);
    for (int64_t j = 0; j < k; ++j)
      factors.upper[size_t(j * width + k)] =
          float(reversed[size_t(column * width + width - 1 - j)] / pivot);
  }
  return factors;
}

void setThreads(int64_t threads) {
  openblas_set_num_threads(int(std::max<int64_t>(threads, 1)));
}

} // namespace qwen::quantise
