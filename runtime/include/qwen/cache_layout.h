// cache_layout.h - how the keys or the values of a layer lie in memory: planes
// of one element type, each [G] heads of S positions.
//
// Shapes    keys: columns of 64 positions; bytes in fours of columns, words in
// pairs. Values: columns of one position; bytes in fours of positions, words in
// pairs
// Numerics  int16 keeps a row's values as i16 round(x / scale), scale = max|x|
// / 8191; int8 as u8 128 + round(x / scale), scale = max|x| / 127 over the
// row's columns in bytes. RoPE turns a key's slow columns so little that a bias
// of k_proj stays in them as a large constant: bytes are too coarse for the
// rest of such a row, so int8 has these columns as f16 and not in the scale
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace qwen {

inline constexpr int64_t kCacheBlock = 64; // positions

/// How a cache keeps the values of a row as integers, and what multiplies them:
/// queries and weights as integers of at most queryUnits and weightUnits.
struct CacheCode {
  std::string_view type; // of the plane
  int64_t largest;       // magnitude, that of a row's largest value
  int64_t offset;        // added to all
  int64_t run;           // of columns of a key, or of positions of a value
  bool slowColumns;      // of keys are f16
  int64_t queryUnits, weightUnits;
  int64_t mostSum; // of magnitudes that multiply, or 0: `largest` times that,
                   // and what rounding adds to 512 of them, has 31 bits

  /// What 1 stands for in factors of that largest magnitude and sum.
  constexpr double unit(int64_t units, double peak, double sum) const {
    const double ofPeak = peak / double(units),
                 ofSum = mostSum > 0 ? sum / double(mostSum) : 0;
    return ofPeak > ofSum ? ofPeak : ofSum;
  }
};

// Words of 14 bits and a sign: the rest of 31 is that of the factors.
inline constexpr CacheCode kByteCode{"u8", 127, 128, 4, true, 127, 16383, 0},
    kWordCode{"i16", 8191, 0, 2, false, 32767, 32767, 261888};

/// Null where the element is a float.
constexpr const CacheCode *cacheCode(std::string_view element) {
  return element == "int8"    ? &kByteCode
         : element == "int16" ? &kWordCode
                              : nullptr;
}

/// Positions whose weights share the unit of their codes, by which integers are
/// multiplied; from a multiple of it on.
inline constexpr int64_t kCodedPositions = 128;

/// Positions whose weighted values are summed before they meet those of others;
/// from a multiple of it on. A constant of the arithmetic: whoever sums a span,
/// its bits are the same.
inline constexpr int64_t kSpanPositions = 512;

/// Spans of a cache.
constexpr int64_t spanCount(int64_t positions) {
  return (positions + kSpanPositions - 1) / kSpanPositions;
}

/// What is kept of a span and a query head of C columns: C weighted values, the
/// sum of the weights, their exponent, and zeros.
constexpr int64_t partWidth(int64_t headWidth) { return headWidth + 16; }

/// Columns of each half of a key of C columns that stay f16: the last, a
/// quarter of them in fours, or none.
constexpr int64_t slowHalf(const CacheCode *code, int64_t headWidth) {
  return code && code->slowColumns ? (headWidth / 8 + 3) / 4 * 4 : 0;
}

struct CachePlane {
  std::string_view suffix; // of the operand's name: the argument's
  std::string_view type;   // "f32", "f16", "i16", "u8"
  int64_t columns;         // of a row of a head; 1 for scales
  bool keys;
  int64_t run = 1; // elements that lie together, of a code

  int64_t elementBytes() const {
    return type == "f32" ? 4 : type == "u8" ? 1 : 2;
  }
  /// Of all positions of a head.
  int64_t headBytes(int64_t positions) const {
    return positions * columns * elementBytes();
  }
  /// Element of a head's column at a position.
  int64_t index(int64_t position, int64_t column) const {
    if (keys)
      return (position / kCacheBlock * columns + column / run * run) *
                 kCacheBlock +
             position % kCacheBlock * run + column % run;
    return (position / run * columns + column) * run + position % run;
  }
};

/// Planes in the order that they lie in.
inline std::vector<CachePlane> cachePlanes(std::string_view element, bool keys,
                                           int64_t headWidth) {
  const CacheCode *code = cacheCode(element);
  if (!code)
    return {{"", element, headWidth, keys}};
  const int64_t slow = keys ? 2 * slowHalf(code, headWidth) : 0;
  std::vector<CachePlane> planes{
      {"", code->type, headWidth - slow, keys, code->run}};
  if (keys && code->slowColumns)
    planes.push_back({".slow", "f16", slow, keys});
  planes.push_back({".scale", "f32", 1, keys});
  return planes;
}

/// Where a key has column c: in the plane of integers or of f16, and there.
struct KeyColumn {
  bool slow;
  int64_t column;
};
constexpr KeyColumn keyColumn(const CacheCode *code, int64_t c,
                              int64_t headWidth) {
  const int64_t half = headWidth / 2, slow = slowHalf(code, headWidth),
                fast = half - slow, in = c % half;
  return in < fast ? KeyColumn{false, c / half * fast + in}
                   : KeyColumn{true, c / half * slow + in - fast};
}

} // namespace qwen
