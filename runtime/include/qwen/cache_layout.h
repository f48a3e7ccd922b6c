// cache_layout.h - how the keys or the values of a layer lie in memory: planes
// of one element type, each [G] heads of S positions.
//
// Shapes    keys: columns of 64 positions; bytes in fours of columns. Values:
// columns of one position; bytes in fours of positions
// Numerics  int8 keeps a row's values as u8 128 + round(x / scale), scale =
// max|x| / 127 over the row's columns in bytes. RoPE turns a key's slow columns
// so little that a bias of k_proj stays in them as a large constant: they are
// f16 and have no part in the scale
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace qwen {

inline constexpr int64_t kCacheBlock = 64; // positions

/// Positions whose weights share the unit of their codes, by which int8 values
/// are multiplied; from a multiple of it on.
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

/// Columns of each half of a key of C columns that int8 keeps as f16: the last,
/// a quarter of them in fours.
constexpr int64_t slowHalf(int64_t headWidth) {
  return (headWidth / 8 + 3) / 4 * 4;
}

struct CachePlane {
  std::string_view suffix; // of the operand's name: the argument's
  std::string_view type;   // "f32", "f16", "u8"
  int64_t columns;         // of a row of a head; 1 for scales
  bool keys;

  int64_t elementBytes() const {
    return type == "f32" ? 4 : type == "f16" ? 2 : 1;
  }
  /// Of all positions of a head.
  int64_t headBytes(int64_t positions) const {
    return positions * columns * elementBytes();
  }
  /// Element of a head's column at a position.
  int64_t index(int64_t position, int64_t column) const {
    const int64_t run = type == "u8" ? 4 : 1;
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
  if (element != "int8")
    return {{"", element, headWidth, keys}};
  const int64_t slow = keys ? 2 * slowHalf(headWidth) : 0;
  std::vector<CachePlane> planes{{"", "u8", headWidth - slow, keys}};
  if (keys)
    planes.push_back({".slow", "f16", slow, keys});
  planes.push_back({".scale", "f32", 1, keys});
  return planes;
}

/// Where an int8 key has column c: in the plane of bytes or of f16, and there.
struct KeyColumn {
  bool slow;
  int64_t column;
};
constexpr KeyColumn keyColumn(int64_t c, int64_t headWidth) {
  const int64_t half = headWidth / 2, slow = slowHalf(headWidth),
                fast = half - slow, in = c % half;
  return in < fast ? KeyColumn{false, c / half * fast + in}
                   : KeyColumn{true, c / half * slow + in - fast};
}

} // namespace qwen
