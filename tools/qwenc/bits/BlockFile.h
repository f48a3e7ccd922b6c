// BlockFile.h - a temporary file with matrices in one of ggml's block types,
// mapped, and what stands in it as tensors of a checkpoint.
#pragma once

#include "tools/qwenc/bits/Parts.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace qwen::bits {

class BlockFile {
public:
  /// `type` is q4_0, q5_0 or q8_0; every width is a multiple of 32.
  static llvm::Expected<std::unique_ptr<BlockFile>>
  create(const std::string &path, const std::string &type,
         const std::vector<Matrix> &matrices);

  /// The blocks of a matrix, row by row.
  uint8_t *blocks(const std::string &name);
  int64_t rowBytes(const Matrix &matrix) const;
  StoredTensor tensor(const std::string &name) const { return index.at(name); }
  const std::string &type() const { return blockType; }

private:
  BlockFile() = default;
  std::string blockType;
  TensorIndex index;
  std::unique_ptr<llvm::sys::fs::mapped_file_region> region;
};

/// The quants of a block of 32 as whole numbers around zero, and its f16 scale.
uint16_t decodeBlock(const std::string &type, const uint8_t *block,
                     int8_t (&quants)[32]);

/// Maps a file for reading and writing.
llvm::Expected<std::unique_ptr<llvm::sys::fs::mapped_file_region>>
mapFile(const std::string &path);

} // namespace qwen::bits
