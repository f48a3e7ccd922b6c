// SourcePosition.h - a place in an input file, for diagnostics.
#pragma once

#include <cstdint>
#include <string>

namespace qwen {

/// Line and column count from 1, columns in bytes; line 0 means the file as a
/// whole.
struct SourcePosition {
  std::string file;
  int64_t line = 0;
  int64_t column = 0;
};

} // namespace qwen
