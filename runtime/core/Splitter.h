// Splitter.h - Qwen2's pre-tokeniser: cuts text into the words that BPE may not
// merge across.
//
// Source  Qwen2 tokenizer.json, pre_tokenizer.pattern:
//         (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|
//         ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
#pragma once

#include <cstdint>
#include <string_view>

namespace qwen {

/// The length in bytes, >= 1, of the word at the start of `text`: well-formed
/// UTF-8, not empty, up to the end of the stretch (the look-ahead sees no
/// further). Calling it along a text is linear in all.
int64_t firstWordLength(std::string_view text);

} // namespace qwen
