// Corpus.h - the hard strings and what the `tokenizers` package makes of them.
//
// Source  tools/scripts/make_tokenizer_goldens
#pragma once

#include <cstdint>
#include <qwen/qwen.h>
#include <string>
#include <vector>

namespace qwen {

/// strings.txt without its escapes; at least 2,000.
std::vector<std::string> readStrings();

/// An ids file, "small.ids": a list for each string.
std::vector<std::vector<int32_t>> readIds(const std::string &name);

/// The table of a tokenizer.json, by its path from the root of the sources.
std::vector<uint8_t> importTable(const std::string &path);

/// small/tokenizer.json.
std::vector<uint8_t> smallTable();

} // namespace qwen
