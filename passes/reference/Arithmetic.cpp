// Arithmetic.cpp - the plain meaning of every op in f64: loops as the formulas
// say.
#include "passes/reference/Arithmetic.h"

#include "llvm/ADT/APFloat.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qwen::reference {

double roundToHalf(double value) {
  llvm::APFloat half(value);
  bool inexact = false;
  half.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven,
               &inexact);
  return half.convertToDouble();
}

bool Cache::append(const Rows &x, int64_t position) {
  if (position < 0 || position + x.tokens > capacity)
    return false;
  auto end = size_t((position + x.tokens) * width);
  if (values.size() < end)
    values.resize(end, std::numeric_limits<double>::quiet_NaN());
  for (int64_t i = 0; i < x.tokens * width; ++i)
    values[size_t(position * width + i)] =
        half ? roundToHalf(x.values[size_t(i)]) : float(x.values[size_t(i)]);
  return true;
}

double dot(const double *a, const double *b, int64_t size) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= size; i += 4)
    for (int64_t j = 0; j < 4; ++j)
      sums[j] += a[i + j] * b[i + j];
  for (; i < size; ++i)
    sums[0] += a[i] * b[i];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

Rows rmsNorm(const Rows &x, const std::vector<double> &weight, double eps) {
  Rows y(x.tokens, x.width);
  auto width = int64_t(weight.size());
  for (int64_t begin = 0; begin < x.tokens * x.width; begin += width) {
    const double *slice = x.values.data() + begin;
    double scale =
        1 / std::sqrt(dot(slice, slice, width) / double(width) + eps);
    for (int64_t i = 0; i < width; ++i)
      y.values[size_t(begin + i)] = weight[size_t(i)] * (slice[i] * scale);
  }
  return y;
}

std::vector<double> ropeRow(double theta, int64_t headWidth, int64_t position) {
  int64_t half = headWidth / 2;
  std::vector<double> row(static_cast<size_t>(headWidth));
  for (int64_t i = 0; i < half; ++i) {
    float exponent = float(2 * i) / float(headWidth);
    float inverse = 1.0f / float(std::pow(theta, double(exponent)));
    float angle = float(position) * inverse;
    row[size_t(i)] = float(std::cos(double(angle)));
    row[size_t(half + i)] = float(std::sin(double(angle)));
  }
  return row;
}

Rows rope(const Rows &x, double theta, int64_t headWidth, int64_t position) {
  Rows y(x.tokens, x.width);
  int64_t half = headWidth / 2;
  for (int64_t t = 0; t < x.tokens; ++t) {
    std::vector<double> angles = ropeRow(theta, headWidth, position + t);
    for (int64_t head = 0; head < x.width; head += headWidth)
      for (int64_t i = 0; i < half; ++i) {
        double c = angles[size_t(i)], s = angles[size_t(half + i)];
        double low = x.row(t)[head + i], high = x.row(t)[head + half + i];
        y.row(t)[head + i] = low * c - high * s;
        y.row(t)[head + half + i] = high * c + low * s;
      }
  }
  return y;
}

Rows attention(const Rows &q, const Cache &keys, const Cache &values,
               int64_t headWidth, int64_t position, AttentionRows *between) {
  Rows y(q.tokens, q.width);
  int64_t queriesPerHead = q.width / keys.width;
  int64_t heads = q.width / headWidth, positions = position + q.tokens;
  if (between)
    between->scores = between->softmax = Rows(q.tokens, heads * positions);
  for (int64_t t = 0; t < q.tokens; ++t)
    for (int64_t head = 0; head < heads; ++head) {
      int64_t kvBegin = head / queriesPerHead * headWidth;
      const double *query = q.row(t) + head * headWidth;
      std::vector<double> weights(size_t(position + t + 1));
      for (size_t p = 0; p < weights.size(); ++p)
        weights[p] = dot(query, keys.row(int64_t(p)) + kvBegin, headWidth) /
                     std::sqrt(double(headWidth));
      if (between)
        std::copy(weights.begin(), weights.end(),
                  between->scores.row(t) + head * positions);
      double largest = *std::max_element(weights.begin(), weights.end());
      double sum = 0;
      for (double &weight : weights)
        sum += weight = std::exp(weight - largest);
      for (double &weight : weights)
        weight /= sum;
      if (between)
        std::copy(weights.begin(), weights.end(),
                  between->softmax.row(t) + head * positions);
      double *out = y.row(t) + head * headWidth;
      for (size_t p = 0; p < weights.size(); ++p)
        for (int64_t i = 0; i < headWidth; ++i)
          out[i] += weights[p] * values.row(int64_t(p))[kvBegin + i];
    }
  return y;
}

Rows swiglu(const Rows &gate, const Rows &up) {
  Rows y(gate.tokens, gate.width);
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] =
        gate.values[i] / (1 + std::exp(-gate.values[i])) * up.values[i];
  return y;
}

Rows add(const Rows &a, const Rows &b) {
  Rows y(a.tokens, a.width);
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = a.values[i] + b.values[i];
  return y;
}

Rows quantize(const Rows &x) {
  constexpr size_t kGroup = 32;
  constexpr float kSmallestScale = 1e-30f; // its inverse is finite
  Rows y(x.tokens, x.width);
  for (size_t begin = 0; begin < x.values.size(); begin += kGroup) {
    float peak = 0;
    for (size_t i = begin; i < begin + kGroup; ++i)
      peak = std::max(peak, std::fabs(float(x.values[i])));
    float scale = peak / 127.0f;
    float inverse = scale > kSmallestScale ? 1.0f / scale : 0.0f;
    for (size_t i = begin; i < begin + kGroup; ++i)
      y.values[i] =
          double(scale) * std::nearbyint(float(x.values[i]) * inverse);
  }
  return y;
}

std::vector<int32_t> argmax(const Rows &logits, int64_t eligible) {
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < logits.tokens; ++t) {
    const double *row = logits.row(t);
    ids.push_back(int32_t(std::max_element(row, row + eligible) - row));
  }
  return ids;
}

} // namespace qwen::reference
