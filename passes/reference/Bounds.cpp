// Bounds.cpp - first derivatives and roundings, op by op.
#include "passes/reference/Bounds.h"

#include "qwen/cache_layout.h"

#include <algorithm>
#include <numbers>

namespace qwen::reference {
namespace {

constexpr int64_t kGroup = 16; // the shortest group of any format

double magnitude(double value) { return std::fabs(value); }

/// What rounding to an integer of at most `largest` times `scale` may lose:
/// half a step, and a few ulp of the ratio.
double integerStep(double scale, int64_t largest = 127) {
  return scale * (0.5 + 4 * double(largest) * kEpsilon) + 1e-30;
}

constexpr double kCodes = 6; // standard deviations: the worst of many

/// Weighted values of an attention over exact inputs: of one row, query head
/// after query head.
class AttentionSums {
public:
  AttentionSums(const Rows &rows, int64_t row, const Cache &keys,
                const Cache &values, int64_t headWidth, int64_t count)
      : q(attentionQueries(rows, keys)), row(row), keys(keys), values(values),
        headWidth(headWidth), queriesPerHead(q.width / keys.width) {
    if (!values.code())
      return;
    Rows kept(count, values.width);
    std::copy_n(values.values.begin(), kept.values.size(), kept.values.begin());
    scales = values.scales(kept);
  }

  /// Of any of a head's scores at positions begin .. end - 1.
  double scoreBound(int64_t head, const double *scores, int64_t begin,
                    int64_t end) const {
    const double *query = q.row(row) + head * headWidth;
    double bound = 0, unit = 0; // of the query's words
    if (const CacheCode *code = keys.code(); code && !code->slowColumns) {
      double peak = 0, sum = 0;
      for (int64_t c = 0; c < headWidth; ++c) {
        peak = std::max(peak, magnitude(query[c]));
        sum += magnitude(query[c]);
      }
      unit = code->unit(code->queryUnits, peak, sum);
    }
    for (int64_t p = begin; p < end; ++p)
      bound = std::max(bound,
                       sumBound(headWidth,
                                termSquares(query, keys.row(p) + kvBegin(head),
                                            headWidth, false),
                                0) /
                               std::sqrt(double(headWidth)) +
                           kCodes * unit * norm(keys.row(p) + kvBegin(head)) +
                           2 * kEpsilon * magnitude(scores[p]));
    return bound;
  }

  /// Of column i of a head's weighted values; an error of a score is a relative
  /// error of its weight.
  double mixedBound(int64_t head, const double *weights, double scoreBound,
                    int64_t begin, int64_t end, int64_t i) const {
    const int64_t column = kvBegin(head) + i;
    double squares = 0, sum = 0;
    for (int64_t p = begin; p < end; ++p) {
      double term = weights[p] * values.row(p)[column];
      squares += term * term;
      sum += term;
    }
    return sumBound(end - begin, squares, sum) +
           2 * (scoreBound + 2 * kEpsilon) * std::sqrt(squares) +
           (scales.tokens > 0
                ? kCodes * codedLoss(weights, begin, end, column, squares)
                : 0);
  }

private:
  const Rows q;
  const int64_t row;
  const Cache &keys, &values;
  const int64_t headWidth, queriesPerHead;
  Rows scales; // of integers

  /// Of a key's words, as far as scores see it: an error of half a unit in each
  /// word of the query, 1/12 of a unit's square.
  double norm(const double *key) const {
    return std::sqrt(dot(key, key, headWidth) / (12 * double(headWidth)));
  }

  int64_t kvBegin(int64_t head) const {
    return head / queriesPerHead * headWidth;
  }

  /// Integers are multiplied by weights times their scales, in units of what a
  /// block of positions has: the standard deviation of their sum's error.
  double codedLoss(const double *weights, int64_t begin, int64_t end,
                   int64_t column, double squares) const {
    const CacheCode &code = *values.code();
    double loss = 0;
    for (int64_t first = begin; first < end; first += kCodedPositions) {
      double peak = 0, sum = 0, quants = 0;
      for (int64_t p = first; p < std::min(first + kCodedPositions, end); ++p) {
        const double scale = scales.row(p)[column / values.headWidth];
        peak = std::max(peak, weights[p] * scale);
        sum += weights[p] * scale;
        if (scale > 0)
          quants += std::pow(values.row(p)[column] / scale, 2);
      }
      loss += std::pow(code.unit(code.weightUnits, peak, sum), 2) / 12 * quants;
    }
    return std::sqrt(loss) + kEpsilon * std::sqrt(squares);
  }
};

} // namespace

double termSquares(const double *a, const double *b, int64_t size,
                   bool grouped) {
  double squares = 0;
  if (!grouped) {
    for (int64_t i = 0; i < size; ++i)
      squares += a[i] * b[i] * a[i] * b[i];
    return squares;
  }
  // A format may store a minimum of the group: its product with the sum of the
  // activations is a term of its own.
  for (int64_t begin = 0; begin < size; begin += kGroup) {
    int64_t end = std::min(begin + kGroup, size);
    double least = *std::min_element(b + begin, b + end);
    double products = 0, sum = 0;
    for (int64_t i = begin; i < end; ++i) {
      products += a[i] * (b[i] - least);
      sum += a[i];
    }
    squares += products * products + sum * sum * least * least;
  }
  return squares;
}

int64_t termCount(int64_t size, bool grouped) {
  return grouped ? 2 * (size + kGroup - 1) / kGroup : size;
}

Rows rmsNormBound(const Bounded &x, const std::vector<double> &weight,
                  double eps) {
  const Rows &in = x.value;
  Rows bound(in.tokens, in.width);
  auto width = int64_t(weight.size());
  // All squares are positive: their roundings average out, and the root halves
  // what is left.
  double own = kEpsilon * (2 + std::sqrt(double(width) / 16) / 2);
  for (int64_t begin = 0; begin < in.tokens * in.width; begin += width) {
    const double *value = in.values.data() + begin;
    const double *error = x.bound.values.data() + begin;
    double squares = dot(value, value, width) + double(width) * eps;
    double scale = 1 / std::sqrt(squares / double(width));
    double inherited = 0;
    for (int64_t i = 0; i < width; ++i)
      inherited += magnitude(value[i]) * error[i];
    for (int64_t i = 0; i < width; ++i)
      bound.values[size_t(begin + i)] =
          magnitude(weight[size_t(i)]) * scale *
          (error[i] + magnitude(value[i]) * (own + inherited / squares));
  }
  return bound;
}

Rows ropeBound(const Bounded &x, double theta, int64_t headWidth,
               int64_t position) {
  Rows bound(x.value.tokens, x.value.width);
  int64_t half = headWidth / 2;
  for (int64_t t = 0; t < bound.tokens; ++t) {
    std::vector<double> angles = ropeRow(theta, headWidth, position + t);
    for (int64_t head = 0; head < bound.width; head += headWidth)
      for (int64_t i = 0; i < half; ++i) {
        double c = magnitude(angles[size_t(i)]),
               s = magnitude(angles[size_t(half + i)]);
        int64_t low = head + i, high = low + half;
        auto part = [&](int64_t column, double factor) {
          return factor * (x.bound.row(t)[column] +
                           2 * kEpsilon * magnitude(x.value.row(t)[column]));
        };
        bound.row(t)[low] = part(low, c) + part(high, s) + 1e-30;
        bound.row(t)[high] = part(high, c) + part(low, s) + 1e-30;
      }
  }
  return bound;
}

Rows swigluBound(const Bounded &gate, const Bounded &up) {
  Rows bound(gate.value.tokens, gate.value.width);
  for (size_t i = 0; i < bound.values.size(); ++i) {
    double g = gate.value.values[i], u = up.value.values[i];
    double silu = g / (1 + std::exp(-g));
    // |silu'| <= 1.1; silu itself adds about three roundings.
    bound.values[i] = 1.1 * gate.bound.values[i] * magnitude(u) +
                      magnitude(silu) * up.bound.values[i] +
                      4 * kEpsilon * magnitude(silu * u) + 1e-30;
  }
  return bound;
}

Rows addBound(const Bounded &a, const Rows &b) {
  Rows bound = a.bound;
  for (size_t i = 0; i < bound.values.size(); ++i)
    bound.values[i] +=
        kEpsilon * magnitude(a.value.values[i] + b.values[i]) + 1e-30;
  return bound;
}

Rows attentionBound(const Rows &q, const Cache &keys, const Cache &values,
                    int64_t headWidth, int64_t position,
                    const AttentionRows &between) {
  Rows bound(q.tokens, q.width);
  int64_t heads = q.width / headWidth, positions = position + q.tokens;
  for (int64_t t = 0; t < q.tokens; ++t) {
    const int64_t count = position + t + 1;
    const AttentionSums sums(q, t, keys, values, headWidth, count);
    for (int64_t head = 0; head < heads; ++head) {
      const double scoreBound = sums.scoreBound(
          head, between.scores.row(t) + head * positions, 0, count);
      for (int64_t i = 0; i < headWidth; ++i)
        bound.row(t)[head * headWidth + i] =
            sums.mixedBound(head, between.softmax.row(t) + head * positions,
                            scoreBound, 0, count, i);
    }
  }
  return bound;
}

Rows attentionSpansBound(const Rows &q, const Cache &keys, const Cache &values,
                         int64_t headWidth, int64_t position,
                         const AttentionRows &between) {
  const int64_t heads = q.width / headWidth, part = partWidth(headWidth),
                count = position + 1;
  Rows bound(1, spanCount(keys.capacity) * heads * part);
  std::fill(bound.values.begin(), bound.values.end(), INFINITY);
  const AttentionSums sums(q, 0, keys, values, headWidth, count);
  for (int64_t begin = 0; begin < count; begin += kSpanPositions)
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t end = std::min(begin + kSpanPositions, count);
      const double *scores = between.scores.row(0) + head * count,
                   *weights = between.softmax.row(0) + head * count;
      const double scoreBound = sums.scoreBound(head, scores, begin, end),
                   peak = *std::max_element(scores + begin, scores + end) *
                          std::numbers::log2e;
      // A largest score within its error of an integer may be rounded up to
      // either; all else is then half or twice as large.
      const bool either =
          magnitude(peak - std::nearbyint(peak)) <= 2 * scoreBound;
      double *out =
          bound.row(0) + (begin / kSpanPositions * heads + head) * part;
      std::fill(out, out + part, 0);
      double sum = 0;
      for (int64_t p = begin; p < end; ++p)
        sum += weights[p];
      for (int64_t i = 0; i < headWidth; ++i) {
        double value = 0;
        for (int64_t p = begin; either && p < end; ++p)
          value += weights[p] *
                   values.row(p)[head / (q.width / keys.width) * headWidth + i];
        out[i] = 2 * sums.mixedBound(head, weights, scoreBound, begin, end, i) +
                 magnitude(value);
      }
      out[headWidth] =
          2 * sum * (2 * scoreBound + 4 * kEpsilon) + (either ? sum : 0);
      out[headWidth + 1] = either ? 1 : 0;
    }
  return bound;
}

Rows attentionMergeBound(const Rows &parts, int64_t heads, int64_t headWidth,
                         int64_t position) {
  Rows bound(1, heads * headWidth);
  for (int64_t head = 0; head < heads; ++head) {
    const HeadParts of(parts, heads, headWidth, position, head);
    for (int64_t i = 0; i < headWidth; ++i) {
      double squares = 0, value = 0;
      for (size_t span = 0; span < of.parts.size(); ++span) {
        double term = of.factors[span] * of.parts[span][i] / of.sum;
        squares += term * term;
        value += term;
      }
      bound.row(0)[head * headWidth + i] =
          sumBound(int64_t(of.parts.size()), squares, value) +
          2 * kEpsilon * magnitude(value);
    }
  }
  return bound;
}

Rows quantizeBound(const Rows &x) {
  constexpr int64_t kQuantized = 32;
  Rows bound(x.tokens, x.width);
  for (size_t begin = 0; begin < x.values.size(); begin += kQuantized) {
    double peak = 0;
    for (size_t i = begin; i < begin + kQuantized; ++i)
      peak = std::max(peak, magnitude(x.values[i]));
    std::fill_n(bound.values.begin() + ptrdiff_t(begin), kQuantized,
                integerStep(peak / 127));
  }
  return bound;
}

void addCacheRounding(Bounded &x, const Cache &cache) {
  const bool single = cache.element == "f32";
  double step = single ? kEpsilon / 2 : 0x1p-11;
  double least = single ? 1e-40 : 0x1p-25; // half of the smallest step
  const CacheCode *code = cache.code();
  const Rows scales = code ? cache.scales(x.value) : Rows();
  for (int64_t t = 0; t < x.bound.tokens; ++t)
    for (int64_t c = 0; c < x.bound.width; ++c)
      x.bound.row(t)[c] +=
          code && !cache.isSlow(c)
              ? integerStep(scales.row(t)[c / cache.headWidth], code->largest)
              : step * magnitude(x.value.row(t)[c]) + least;
}

} // namespace qwen::reference
