// HeadLinear.cpp - the reference of kernels whose epilogue sees whole heads.
#include "codegen/kernels/HeadLinear.h"
#include "codegen/kernels/Trial.h"

#include <cmath>

namespace qwen::codegen {

HeadValue headReference(const Trial &trial, int64_t t, int64_t head,
                        int64_t c) {
  const int64_t width = trial.dim("c"), half = width / 2;
  const auto finished = [&](int64_t column) {
    Sum sum = trial.product("W", t, head * width + column);
    if (trial.has("bias"))
      sum.add(trial.in("bias", 0, head * width + column));
    return sum;
  };
  Sum own = finished(c), other = finished(c < half ? c + half : c - half);
  double ownScale = 1, otherScale = 1, relative = 0;
  if (trial.has("norm")) {
    double squares = 0, error = 0;
    for (int64_t i = 0; i < width; ++i) {
      const Sum sum = finished(i);
      squares += sum.value * sum.value;
      error += sum.bound() * sum.bound();
    }
    const double inverse =
        1 / std::sqrt(squares / double(width) + trial.epsilon());
    ownScale = inverse * trial.in("w", 0, c);
    otherScale = inverse * trial.in("w", 0, c < half ? c + half : c - half);
    relative = std::sqrt(error / squares) + 4 * kEpsilon;
  }
  const double cosine = trial.in("rope", t, c % half) * ownScale;
  const double sine = trial.in("rope", t, half + c % half) *
                      (c < half ? -otherScale : otherScale);
  const double a = own.value * cosine, b = other.value * sine;
  return {a + b, own.bound() * std::fabs(cosine) +
                     other.bound() * std::fabs(sine) +
                     (relative + kEpsilon) * (std::fabs(a) + std::fabs(b))};
}

} // namespace qwen::codegen
