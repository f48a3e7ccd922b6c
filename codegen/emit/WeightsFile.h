// WeightsFile.h - writes the file that a compiled model maps: header,
// tokenizer, generation text, packed tensors.
//
// Source  runtime/include/qwen/qwen.h, "A weights file"
#pragma once

#include "codegen/emit/OutputFile.h"

#include "llvm/Support/Error.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace qwen {

using Fingerprint = std::array<uint8_t, 16>;

/// Where a tensor's bytes lie in a checkpoint.
struct TensorSource {
  std::string path;
  int64_t offsetBytes = 0;
  int64_t sizeBytes = 0;
  std::string storedType;
};

/// One plane of a packed tensor, from the start of the tensor section.
struct PackedPlane {
  std::string name;
  int64_t offsetBytes = 0;
};

/// One tensor of the tensor section; `format` may be "vec" or "rope", which has
/// no source.
struct PackedTensor {
  std::string name;
  std::string format;
  std::vector<int64_t> shape;
  std::vector<PackedPlane> planes;
  double ropeTheta = 0;
};

struct WeightsFile {
  Fingerprint fingerprint;
  int64_t tensorBytes = 0; // of the tensor section
  std::vector<PackedTensor> tensors;
  std::map<std::string, TensorSource> sources; // by tensor name
  std::string tokenizer;                       // the whole section; empty: none
  std::string generation;                      // JSON object as text
};

struct PackOptions {
  std::string compiler; // path of the qwenc-kernel program
  int64_t jobs = 0;     // 0: as many as the machine has cores
};

/// Writes `file` to `output`, for the caller to commit. False when there is
/// nothing to commit: the file in its place is of the same plan, made from the
/// same sources (path, size and time of change) by the same packer.
llvm::Expected<bool> writeWeightsFile(const WeightsFile &file,
                                      OutputFile &output,
                                      const PackOptions &options);

/// Writes a file of that size whose tensors are all zeros, for the caller to
/// commit: it takes the time that real weights take.
llvm::Error writeZeroWeights(const WeightsFile &file, OutputFile &output);

} // namespace qwen
