// ByteRanges.h - what the readers of binary checkpoints share: opening a file
// with its size, and the rule that tensors do not overlap.
#pragma once

#include "frontend/diag/Diag.h"
#include "frontend/weights/TensorIndex.h"

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

namespace qwen {

struct BinaryFile {
  std::ifstream in;
  int64_t bytes = 0;
};

/// Reports a path that is absent, not a regular file, or unreadable.
std::optional<BinaryFile> openBinaryFile(const std::string &path,
                                         Diagnostics &diags);

/// Reports the first two tensors of one file that share a byte.
bool checkNoOverlap(const TensorIndex &index, const std::string &path,
                    Diagnostics &diags);

} // namespace qwen
