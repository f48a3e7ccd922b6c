// ByteAlphabet.h - the 256 printable characters that a byte-level vocabulary
// writes bytes with.
//
// Source  GPT-2 encoder.py, bytes_to_unicode
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qwen {

/// The bytes that `text` writes, one for each character; nullopt when a
/// character is not of the alphabet.
std::optional<std::string> bytesFromAlphabet(std::string_view text);

} // namespace qwen
