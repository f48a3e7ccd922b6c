// Arithmetic.h - the plain meaning of every op in f64, on rows in host memory.
//
// Shapes   rows [T, X], slowest first, without padding
// Numerics f64; only what a type says is rounded: q8g32 values, cache elements
//          and queries of int8 keys, the RoPE table; queries of int16 keys
//          lose so little that Bounds.h has it
#pragma once

#include "qwen/cache_layout.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace qwen::reference {

/// Activations: `tokens` rows of `width` values.
struct Rows {
  int64_t tokens = 0;
  int64_t width = 0;
  std::vector<double> values;

  Rows() = default;
  Rows(int64_t tokens, int64_t width)
      : tokens(tokens), width(width), values(size_t(tokens * width)) {}

  double *row(int64_t t) { return values.data() + t * width; }
  const double *row(int64_t t) const { return values.data() + t * width; }
};

/// The keys or values of one layer: rows [G·C] of the positions written so far.
struct Cache {
  int64_t width = 0;           // G · C
  int64_t capacity = 0;        // S
  int64_t headWidth = 0;       // C
  std::string element = "f32"; // or "f16", "int16" or "int8"
  bool keys = false;
  std::vector<double> values; // NaN where nothing was written

  const double *row(int64_t position) const {
    return values.data() + position * width;
  }
  /// Writes rows at position, position + 1, ..., `rounded` to the element type
  /// or to be. False, and nothing is written, when they do not fit.
  bool append(const Rows &x, int64_t position, bool rounded = false);
  /// What the cache has of rows that are appended.
  Rows round(const Rows &x) const;
  /// Null where the element is a float.
  const CacheCode *code() const { return cacheCode(element); }
  /// Whether column c of a row stays f16 beside integers.
  bool isSlow(int64_t c) const;
  /// Of integers: the scale of each head [T, G].
  Rows scales(const Rows &x) const;
};

double dot(const double *a, const double *b, int64_t size);

/// Source HF Qwen2RMSNorm; over each of a row's slices as wide as `weight`.
Rows rmsNorm(const Rows &x, const std::vector<double> &weight, double eps);

/// Row `position` of the table: C/2 cosines, then C/2 sines, each f32, of f32
/// angles made from f32 inverse frequencies.
/// Source HF Qwen2RotaryEmbedding
std::vector<double> ropeRow(double theta, int64_t headWidth, int64_t position);

/// Source HF apply_rotary_pos_emb; row 0 is at `position`.
Rows rope(const Rows &x, double theta, int64_t headWidth, int64_t position);

/// What lies between an attention op's input and its output, [T, heads · P]
/// with P = position + T: row t, head h, position p at h · P + p. Positions
/// that row t does not see are 0.
struct AttentionRows {
  Rows scores;  // q · k / sqrt(C)
  Rows softmax; // its softmax over the positions seen
};

/// Queries as attention over `keys` takes them: int8 keys multiply 8 bits, with
/// a scale for each head, in the columns that they have in bytes.
Rows attentionQueries(const Rows &q, const Cache &keys);

/// Source HF eager_attention_forward with repeat_kv; row 0 is at `position`.
Rows attention(const Rows &q, const Cache &keys, const Cache &values,
               int64_t headWidth, int64_t position,
               AttentionRows *between = nullptr);

/// Of every span that a row at `position` sees, and of every head, what
/// `qwen.attention_span` says: [1, N · heads · partWidth(C)], N spans of the
/// cache, those beyond the position 0. `between` has scores, and the weights in
/// place of their softmax.
Rows attentionSpans(const Rows &q, const Cache &keys, const Cache &values,
                    int64_t headWidth, int64_t position,
                    AttentionRows *between = nullptr);

/// The parts of one head that a row at `position` sees, by span: [C + 2], and
/// the power of two that brings each to the unit of the largest exponent, in
/// which `sum` is that of all weights.
struct HeadParts {
  std::vector<const double *> parts;
  std::vector<double> factors;
  double sum = 0;

  HeadParts(const Rows &parts, int64_t heads, int64_t headWidth,
            int64_t position, int64_t head);
};

/// Attention [1, heads · C] from such parts.
Rows attentionMerge(const Rows &parts, int64_t heads, int64_t headWidth,
                    int64_t position);

Rows swiglu(const Rows &gate, const Rows &up);
Rows add(const Rows &a, const Rows &b);

/// The values that q8g32 rows stand for.
Rows quantize(const Rows &x);

/// The lowest id of the largest of each row's first `eligible` values.
std::vector<int32_t> argmax(const Rows &logits, int64_t eligible);

double roundToHalf(double value);

} // namespace qwen::reference
