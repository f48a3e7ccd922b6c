// ByteAlphabet.cpp - printable Latin-1 stands for itself, the other bytes for
// U+0100 onward in order.
#include "frontend/tokenizer/ByteAlphabet.h"

#include <array>
#include <cstdint>

namespace qwen {
namespace {

constexpr int kAlphabetEnd = 0x100 + 68; // 68 bytes do not stand for themselves

constexpr bool standsForItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
         byte >= 0xAE;
}

constexpr std::array<int16_t, kAlphabetEnd> makeByteOfCharacter() {
  std::array<int16_t, kAlphabetEnd> table{};
  table.fill(-1);
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte)
    table[standsForItself(byte) ? byte : next++] = static_cast<int16_t>(byte);
  return table;
}

constexpr std::array<int16_t, kAlphabetEnd> kByteOfCharacter =
    makeByteOfCharacter();

} // namespace

std::optional<std::string> bytesFromAlphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    int character = static_cast<uint8_t>(text[i]);
    if (character >=
        0x80) { // every other character of the alphabet takes two bytes
      if ((character & 0xE0) != 0xC0 || i + 1 == text.size() ||
          (text[i + 1] & 0xC0) != 0x80)
        return std::nullopt;
      character = (character & 0x1F) << 6 | (text[++i] & 0x3F);
    }
    if (character >= kAlphabetEnd || kByteOfCharacter[character] < 0)
      return std::nullopt;
    bytes.push_back(static_cast<char>(kByteOfCharacter[character]));
  }
  return bytes;
}

} // namespace qwen
