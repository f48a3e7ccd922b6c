// Parameters.cpp - reading parameters in blocks of rows, and keeping them.
#include "passes/reference/Parameters.h"

#include <algorithm>

namespace qwen::reference {
namespace {

constexpr int64_t kBlockRows = 64; // of a matrix, read at once

} // namespace

bool Parameters::forEachRow(
    llvm::StringRef name, int64_t rows, int64_t columns,
    llvm::function_ref<void(int64_t, const double *)> visit) {
  if (auto entry = kept.find(name.str()); entry != kept.end()) {
    std::vector<double> row(static_cast<size_t>(columns));
    for (int64_t n = 0; n < rows; ++n) {
      const float *begin = entry->second.data() + n * columns;
      std::copy(begin, begin + columns, row.begin());
      visit(n, row.data());
    }
    return true;
  }
  int64_t bytes = rows * columns * int64_t(sizeof(float));
  bool keep = bytes <= roomBytes;
  std::vector<float> whole;
  std::vector<double> block;
  for (int64_t n = 0; n < rows; n += kBlockRows) {
    int64_t count = std::min(kBlockRows, rows - n);
    if (!source(name, n, count, block) ||
        block.size() != size_t(count * columns))
      return false;
    for (int64_t i = 0; i < count; ++i)
      visit(n + i, block.data() + i * columns);
    if (keep)
      whole.insert(whole.end(), block.begin(), block.end());
  }
  if (keep) {
    roomBytes -= bytes;
    kept.emplace(name.str(), std::move(whole));
  }
  return true;
}

bool Parameters::row(llvm::StringRef name, int64_t n, int64_t columns,
                     std::vector<double> &values) {
  if (auto entry = kept.find(name.str()); entry != kept.end()) {
    const float *begin = entry->second.data() + n * columns;
    values.assign(begin, begin + columns);
    return true;
  }
  return source(name, n, 1, values) && values.size() == size_t(columns);
}

} // namespace qwen::reference
