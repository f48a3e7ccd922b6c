// TensorIndex.h - one table over a checkpoint: name, shape, stored type and
// byte range of every tensor, never the bytes.
//
// Source  safetensors format description; GGUF v3 specification (ggml)
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace qwen {

/// One tensor as it lies in a checkpoint file.
struct StoredTensor {
  std::string
      name; // HF name, also for a GGUF ("model.layers.3.mlp.up_proj.weight")
  std::string
      fileName; // the tensor's own name in its file ("blk.3.ffn_up.weight")
  std::vector<int64_t> shape; // slowest first: [N, K] for a linear
  std::string storedType;     // "f32" "f16" "bf16" "q8_0" "q4_0" "q5_0" "q4_k"
                              // "q5_k" "q6_k"
  std::string path;           // absolute path of the file
  int64_t offsetBytes = 0;    // from the start of that file
  int64_t sizeBytes = 0; // checked against shape and type, and inside the file
};

/// All tensors of a checkpoint by HF name.
using TensorIndex = std::map<std::string, StoredTensor>;

} // namespace qwen
