// PackRequest.h - a pack request, read and checked against the files it names.
#pragma once

#include "codegen/formats/Blocks.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace qwen {

/// A message for the user, complete but for the newline.
struct PackError {
  std::string text;
};

/// An open file; closes it when it goes.
class OpenFile {
public:
  /// Throws PackError when `path` cannot be opened.
  OpenFile(std::string path, int flags);
  OpenFile(const OpenFile &) = delete;
  OpenFile &operator=(const OpenFile &) = delete;
  ~OpenFile();

  /// All of `count` bytes; throw PackError on any failure, a file that ends
  /// early included.
  void read(uint8_t *bytes, int64_t count, int64_t offset) const;
  void write(const uint8_t *bytes, int64_t count, int64_t offset) const;
  int64_t sizeBytes() const;
  const std::string path;

private:
  int descriptor = -1;
};

struct PackTensor {
  enum class Kind { Weight, Vector, Rope };
  Kind kind = Kind::Weight;
  std::string name;
  const codegen::Format *format = nullptr;     // of a weight
  const codegen::StoredType *stored = nullptr; // null for rope
  const OpenFile *source = nullptr;            // null for rope
  int64_t sourceOffset = 0;
  int64_t outerSize = 0,
          innerSize = 0; // [N, K]; a vector is [1, N]; rope is [S, C]
  std::vector<int64_t> planeOffsets; // in the file, in the format's order
  float theta = 0;

  int64_t storedRowBytes() const {
    return innerSize / stored->blockElements * stored->blockBytes;
  }
};

struct PackRequest {
  std::string outputPath;
  int64_t jobs = 1;
  std::vector<PackTensor> tensors;
  std::map<std::string, OpenFile> sources;
};

/// Reads the request at `path`. Throws PackError.
PackRequest readPackRequest(const std::string &path);

} // namespace qwen
