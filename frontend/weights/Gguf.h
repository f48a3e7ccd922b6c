// Gguf.h - the header of a GGUF file (versions 2 and 3): metadata and tensor
// table under HF names.
//
// Source  GGUF specification (ggml docs/gguf.md); llama.cpp tensor names
#pragma once

#include "frontend/diag/Diag.h"
#include "frontend/weights/GgufMetadata.h"
#include "frontend/weights/TensorIndex.h"

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace qwen {

struct GgufHeader {
  GgufMetadata metadata;
  TensorIndex tensors;
};

/// Everything is checked against the file's size before it is stored; tensors
/// lie inside the file and do not overlap.
std::optional<GgufHeader> readGguf(const std::string &path, Diagnostics &diags);

/// The same from a stream of `fileBytes` bytes.
std::optional<GgufHeader> parseGguf(std::istream &in, int64_t fileBytes,
                                    const std::string &path,
                                    Diagnostics &diags);

/// "blk.3.ffn_up.weight" -> "model.layers.3.mlp.up_proj.weight"; a name that
/// has no HF counterpart is returned as it is.
std::string hfTensorName(std::string_view ggufName);

} // namespace qwen
