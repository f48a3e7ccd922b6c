// Likeness.cpp - sums of squares, and a hash over the hashes of rows.
#include "tools/qwenc/verify/Likeness.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

#include <cmath>
#include <vector>

namespace qwen::verify {

void LikenessSum::add(llvm::ArrayRef<double> values,
                      llvm::ArrayRef<double> originals) {
  std::vector<float> floats(values.begin(), values.end());
  const llvm::ArrayRef<uint8_t> bytes(
      reinterpret_cast<const uint8_t *>(floats.data()),
      floats.size() * sizeof(float));
  const uint64_t parts[] = {digest, llvm::xxh3_64bits(bytes)};
  digest = llvm::xxh3_64bits(
      llvm::ArrayRef(reinterpret_cast<const uint8_t *>(parts), sizeof(parts)));
  for (size_t i = 0; i < values.size(); ++i) {
    error += (values[i] - originals[i]) * (values[i] - originals[i]);
    size += originals[i] * originals[i];
  }
}

Likeness LikenessSum::result() const {
  return {llvm::utohexstr(digest, /*LowerCase=*/true),
          size > 0 ? std::sqrt(error / size) : 0};
}

} // namespace qwen::verify
