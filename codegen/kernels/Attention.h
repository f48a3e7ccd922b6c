// Attention.h - what the kernels of attention share: they differ in what they
// make of the sums of a span of positions.
#pragma once

#include "codegen/kernels/Trial.h"

#include <vector>

namespace qwen::codegen {

/// Attention over the cache; or with `onePart` the sums of a span, of which
/// `position` counts and whose last position may lie before it.
void buildAttention(BuildContext &context, bool onePart);
void buildCodedAttention(BuildContext &context, bool onePart);

std::vector<CatalogKnob> attentionKnobs();

// For references.

/// exp(score - peak) of query head r's first positions, and their sum.
struct HeadWeights {
  std::vector<double> weights;
  double peak = -1e300, sum = 0;
  double scoreBound = 0; // of any score
};
HeadWeights headWeights(const Trial &trial, int64_t t, int64_t r,
                        int64_t count);

/// Column c of the weighted values / the sum of weights.
struct Mixed {
  double value, bound;
};
Mixed mixedValue(const Trial &trial, const HeadWeights &head, int64_t c);

/// Row t of query head r [C] as the kernel multiplies it with int8 keys.
std::vector<double> int8Query(const Trial &trial, int64_t t, int64_t r);

/// What a score of it over the first positions may lose of int16 keys, for q is
/// rounded too.
double wordsBound(const Trial &trial, int64_t t, int64_t r, int64_t count);

/// What the codes of weights [count] / `sum` may lose of column c.
double codedWeightsBound(const Trial &trial, const std::vector<double> &weights,
                         double sum, int64_t c);

} // namespace qwen::codegen
