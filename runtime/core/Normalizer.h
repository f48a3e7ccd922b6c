// Normalizer.h - Unicode normalisation form C, as the `tokenizers` package does
// it.
//
// Source  UAX #15; tables of Unicode 9, which is what the package's normaliser
// carries
#pragma once

#include <string>
#include <string_view>

namespace qwen {

/// NFC of well-formed UTF-8, in linear time.
///
/// Marks assigned after Unicode 9 keep their place and U+11938 is not composed,
/// so that ids equal the package's; on text without characters younger than
/// 2016 this is NFC of any version.
std::string normalizeNfc(std::string_view text);

} // namespace qwen
