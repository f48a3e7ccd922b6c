// Safetensors.h - the header of a safetensors file, or of all shards of an
// index, as a tensor table.
//
// Source  the safetensors format description; HF model.safetensors.index.json
#pragma once

#include "frontend/diag/Diag.h"
#include "frontend/weights/TensorIndex.h"

#include <iosfwd>
#include <optional>
#include <string>

namespace qwen {

/// Names, shapes and byte ranges of one file; the ranges lie inside the file
/// and do not overlap.
std::optional<TensorIndex> readSafetensors(const std::string &path,
                                           Diagnostics &diags);

/// The same from a stream of `fileBytes` bytes.
std::optional<TensorIndex> parseSafetensors(std::istream &in, int64_t fileBytes,
                                            const std::string &path,
                                            Diagnostics &diags);

/// All shards that a `*.index.json` names; they lie beside it.
std::optional<TensorIndex> readSafetensorsIndex(const std::string &path,
                                                Diagnostics &diags);

} // namespace qwen
