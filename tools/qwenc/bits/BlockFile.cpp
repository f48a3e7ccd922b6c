// BlockFile.cpp - places, and the file behind them.
#include "tools/qwenc/bits/BlockFile.h"

#include "codegen/emit/OutputFile.h"
#include "codegen/formats/Half.h"
#include "frontend/weights/StoredType.h"

namespace qwen::bits {
namespace {

constexpr int64_t kGroup = 32;

} // namespace

llvm::Expected<std::unique_ptr<llvm::sys::fs::mapped_file_region>>
mapFile(const std::string &path) {
  namespace fs = llvm::sys::fs;
  uint64_t bytes = 0;
  std::error_code error = fs::file_size(path, bytes);
  if (error)
    return userError("cannot read `" + path + "`: " + error.message());
  llvm::Expected<fs::file_t> file =
      fs::openNativeFileForReadWrite(path, fs::CD_OpenExisting, fs::OF_None);
  if (!file)
    return userError("cannot write `" + path +
                     "`: " + llvm::toString(file.takeError()));
  auto region = std::make_unique<fs::mapped_file_region>(
      *file, fs::mapped_file_region::readwrite, bytes, 0, error);
  const std::error_code ignored = fs::closeFile(*file);
  static_cast<void>(ignored); // the mapping holds it
  if (error)
    return userError("cannot map `" + path + "`: " + error.message());
  return region;
}

llvm::Expected<std::unique_ptr<BlockFile>>
BlockFile::create(const std::string &path, const std::string &type,
                  const std::vector<Matrix> &matrices) {
  const StoredType &blocks = *findStoredType(type);
  std::unique_ptr<BlockFile> made(new BlockFile());
  made->blockType = type;
  int64_t bytes = 0;
  for (const Matrix &matrix : matrices) {
    StoredTensor tensor = matrix.stored;
    tensor.storedType = type;
    tensor.path = path;
    tensor.offsetBytes = bytes;
    tensor.sizeBytes =
        matrix.rows * (matrix.width / kGroup) * blocks.bytesPerBlock;
    bytes += tensor.sizeBytes;
    made->index[matrix.name] = std::move(tensor);
  }
  OutputFile file(path);
  if (llvm::Error error = file.write(""))
    return error;
  if (llvm::Error error = file.reserve(bytes))
    return error;
  if (llvm::Error error = file.commit())
    return error;
  auto region = mapFile(path);
  if (!region)
    return region.takeError();
  made->region = std::move(*region);
  return made;
}

uint8_t *BlockFile::blocks(const std::string &name) {
  return reinterpret_cast<uint8_t *>(region->data()) +
         index.at(name).offsetBytes;
}

int64_t BlockFile::rowBytes(const Matrix &matrix) const {
  return matrix.width / kGroup * findStoredType(blockType)->bytesPerBlock;
}

uint16_t decodeBlock(const std::string &type, const uint8_t *block,
                     int8_t (&quants)[kGroup]) {
  const auto half = codegen::load<uint16_t>(block);
  block += sizeof(half);
  if (type == "q8_0") {
    for (int64_t k = 0; k < kGroup; ++k)
      quants[k] = int8_t(block[k]);
    return half;
  }
  uint32_t fifths = 0;
  const bool five = type == "q5_0";
  if (five) {
    fifths = codegen::load<uint32_t>(block);
    block += sizeof(fifths);
  }
  for (int64_t k = 0; k < kGroup; ++k) {
    const int low = k < 16 ? block[k] & 15 : block[k - 16] >> 4;
    quants[k] = int8_t(five ? (low | int(fifths >> k & 1) << 4) - 16 : low - 8);
  }
  return half;
}

} // namespace qwen::bits
