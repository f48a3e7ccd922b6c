// Arithmetic.cpp - the plain meaning of every op in f64: loops as the formulas
// say.
#include "passes/reference/Arithmetic.h"

#include "qwen/cache_layout.h"

#include "llvm/ADT/APFloat.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace qwen::reference {

double roundToHalf(double value) {
  llvm::APFloat half(value);
  bool inexact = false;
  half.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven,
               &inexact);
  return half.convertToDouble();
}

namespace {

/// Half a step of `steps` to the largest: the rounding of q8g32 groups and of
/// what caches have in integers.
struct Scale {
  float scale, inverse;
  explicit Scale(float peak, int64_t steps = 127) {
    constexpr float kSmallestScale = 1e-30f; // its inverse is finite
    scale = peak / float(steps);
    inverse = scale > kSmallestScale ? 1.0f / scale : 0.0f;
  }
  double round(double value) const {
    return double(scale) * std::nearbyint(float(value) * inverse);
  }
};

/// Of a head's columns that are not slow.
Scale scaleOf(const Cache &cache, const double *row, int64_t head) {
  float peak = 0;
  for (int64_t c = head * cache.headWidth; c < (head + 1) * cache.headWidth;
       ++c)
    if (!cache.isSlow(c))
      peak = std::max(peak, std::fabs(float(row[c])));
  return Scale(peak, cache.code()->largest);
}

} // namespace

bool Cache::isSlow(int64_t c) const {
  return keys && keyColumn(code(), c % headWidth, headWidth).slow;
}

Rows Cache::scales(const Rows &x) const {
  Rows y(x.tokens, x.width / headWidth);
  for (int64_t t = 0; t < x.tokens; ++t)
    for (int64_t head = 0; head < y.width; ++head)
      y.row(t)[head] = scaleOf(*this, x.row(t), head).scale;
  return y;
}

Rows Cache::round(const Rows &x) const {
  Rows y(x.tokens, x.width);
  for (int64_t i = 0; i < x.tokens * x.width; ++i)
    y.values[size_t(i)] = element == "f32" ? float(x.values[size_t(i)])
                                           : roundToHalf(x.values[size_t(i)]);
  if (!code())
    return y;
  for (int64_t t = 0; t < x.tokens; ++t)
    for (int64_t head = 0; head < x.width / headWidth; ++head) {
      const Scale scale = scaleOf(*this, x.row(t), head);
      for (int64_t c = head * headWidth; c < (head + 1) * headWidth; ++c)
        if (!isSlow(c))
          y.row(t)[c] = scale.round(x.row(t)[c]);
    }
  return y;
}

bool Cache::append(const Rows &x, int64_t position, bool rounded) {
  if (position < 0 || position + x.tokens > capacity)
    return false;
  auto end = size_t((position + x.tokens) * width);
  if (values.size() < end)
    values.resize(end, std::numeric_limits<double>::quiet_NaN());
  const Rows kept = rounded ? x : round(x);
  std::copy(kept.values.begin(), kept.values.end(),
            values.begin() + position * width);
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

Rows attentionQueries(const Rows &q, const Cache &keys) {
  if (!keys.code() || !keys.code()->slowColumns)
    return q;
  const Rows rounded = keys.round(q);
  Rows y = q;
  for (int64_t i = 0; i < q.tokens * q.width; ++i)
    if (!keys.isSlow(i % q.width))
      y.values[size_t(i)] = rounded.values[size_t(i)];
  return y;
}

Rows attention(const Rows &rows, const Cache &keys, const Cache &values,
               int64_t headWidth, int64_t position, AttentionRows *between) {
  const Rows q = attentionQueries(rows, keys);
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

Rows attentionSpans(const Rows &rows, const Cache &keys, const Cache &values,
                    int64_t headWidth, int64_t position,
                    AttentionRows *between) {
  const Rows q = attentionQueries(rows, keys);
  const int64_t heads = q.width / headWidth, count = position + 1,
                part = partWidth(headWidth),
                queriesPerHead = q.width / keys.width;
  Rows y(1, spanCount(keys.capacity) * heads * part);
  if (between)
    between->scores = between->softmax = Rows(1, heads * count);
  for (int64_t begin = 0; begin < count; begin += kSpanPositions)
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t kvBegin = head / queriesPerHead * headWidth,
                    end = std::min(begin + kSpanPositions, count);
      std::vector<double> scores;
      for (int64_t p = begin; p < end; ++p)
        scores.push_back(
            dot(q.row(0) + head * headWidth, keys.row(p) + kvBegin, headWidth) /
            std::sqrt(double(headWidth)));
      const double exponent =
          std::ceil(*std::max_element(scores.begin(), scores.end()) *
                    std::numbers::log2e);
      double *out = y.row(0) + (begin / kSpanPositions * heads + head) * part;
      out[headWidth + 1] = exponent;
      for (int64_t p = begin; p < end; ++p) {
        const double score = scores[size_t(p - begin)],
                     weight = std::exp2(score * std::numbers::log2e - exponent);
        for (int64_t i = 0; i < headWidth; ++i)
          out[i] += weight * values.row(p)[kvBegin + i];
        out[headWidth] += weight;
        if (between) {
          between->scores.row(0)[head * count + p] = score;
          between->softmax.row(0)[head * count + p] = weight;
        }
      }
    }
  return y;
}

HeadParts::HeadParts(const Rows &rows, int64_t heads, int64_t headWidth,
                     int64_t position, int64_t head) {
  for (int64_t span = 0; span < spanCount(position + 1); ++span)
    parts.push_back(rows.row(0) + (span * heads + head) * partWidth(headWidth));
  double largest = parts[0][headWidth + 1];
  for (const double *part : parts)
    largest = std::max(largest, part[headWidth + 1]);
  for (const double *part : parts) {
    factors.push_back(std::exp2(part[headWidth + 1] - largest));
    sum += factors.back() * part[headWidth];
  }
}

Rows attentionMerge(const Rows &parts, int64_t heads, int64_t headWidth,
                    int64_t position) {
  Rows y(1, heads * headWidth);
  for (int64_t head = 0; head < heads; ++head) {
    const HeadParts of(parts, heads, headWidth, position, head);
    double *out = y.row(0) + head * headWidth;
    for (int64_t i = 0; i < headWidth; ++i) {
      for (size_t span = 0; span < of.parts.size(); ++span)
        out[i] += of.factors[span] * of.parts[span][i];
      out[i] /= of.sum;
    }
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
  Rows y(x.tokens, x.width);
  for (size_t begin = 0; begin < x.values.size(); begin += kGroup) {
    float peak = 0;
    for (size_t i = begin; i < begin + kGroup; ++i)
      peak = std::max(peak, std::fabs(float(x.values[i])));
    const Scale scale(peak);
    for (size_t i = begin; i < begin + kGroup; ++i)
      y.values[i] = scale.round(x.values[i]);
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
