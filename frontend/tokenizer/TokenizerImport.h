// TokenizerImport.h - a checkpoint's tokenizer as the flat table that the
// runtime maps.
//
// Source  `tokenizers`, Tokenizer.from_file; GGUF `tokenizer.ggml.*`. The
// table's layout is qwen_tokenizer_header.
#pragma once

#include "frontend/diag/Diag.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace qwen {

struct GgufMetadata;

/// The tokenizer of a tokenizer.json: byte-level BPE with Qwen2's
/// pre-tokeniser, NFC or no normaliser. Anything else in the file that could
/// change ids is refused by name. Ids must be below `vocabSize`, the rows of
/// the embedding.
std::optional<std::vector<uint8_t>> importTokenizerJson(const std::string &path,
                                                        int64_t vocabSize,
                                                        Diagnostics &diags);

/// The tokenizer in a GGUF's metadata: `tokenizer.ggml.model` gpt2 with `pre`
/// qwen2. Token type 1 is plain, 3 special, 4 added text (both matched before
/// BPE), 5 unused.
std::optional<std::vector<uint8_t>>
importTokenizerGguf(const GgufMetadata &metadata, int64_t vocabSize,
                    Diagnostics &diags);

} // namespace qwen
