// PackedWeight.h - what the format tests share: a weight packed in memory,
// random stored rows, and the fixtures.
#pragma once

#include "codegen/formats/Blocks.h"

#include <random>
#include <string>
#include <vector>

namespace qwen::codegen {

/// A weight [rows, inner] packed panel by panel.
struct PackedWeight {
  const Format &format;
  int64_t rows, inner;
  std::vector<uint8_t> bytes;
  int64_t bad = -1; // row * inner + k of the first element that pack refused

  /// `stored` holds whole rows of the stored type.
  PackedWeight(const Format &format, std::string_view storedType,
               const uint8_t *stored, int64_t rows, int64_t inner);

  int64_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  /// The panel's blocks of each plane.
  PackedPanel panel(int64_t index) const;
  /// Row n may be a padding row.
  float value(int64_t n, int64_t k) const;
};

/// Rows of a stored type: any quants, finite scales of all sizes, floats of all
/// sizes.
std::vector<uint8_t> randomRows(std::string_view storedType, int64_t rows,
                                int64_t inner, std::mt19937 &random);

struct Fixture {
  std::string storedType, format;
  int64_t rows, inner;
  std::vector<uint8_t> stored;
  std::vector<float> values; // [rows, inner]
};

/// Empty when the files cannot be read.
std::vector<Fixture> readFixtures();

} // namespace qwen::codegen
