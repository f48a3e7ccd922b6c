// Utf8.h - reading and writing UTF-8 with one rule for broken bytes.
//
// Source  Unicode 15 table 3-7 (well-formed sequences) and section 3.9, "U+FFFD
// Substitution of Maximal Subparts": what
//         Rust's String::from_utf8_lossy does, and so what the `tokenizers`
//         package decodes to
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace qwen {

inline constexpr int32_t kReplacementCharacter = 0xFFFD;

struct Utf8Step {
  enum Kind {
    kCharacter,  // `length` bytes are the code point
    kBroken,     // `length` bytes (a maximal subpart) stand for one U+FFFD
    kIncomplete, // the text ends inside a sequence that is good so far
  };
  Kind kind;
  int32_t codePoint;
  int64_t length; // >= 1
};

/// Reads the sequence at the start of `text`, which is not empty.
inline Utf8Step readUtf8(std::string_view text) {
  auto byte = [&](int64_t i) { return static_cast<uint8_t>(text[i]); };
  uint8_t lead = byte(0);
  if (lead < 0x80)
    return {Utf8Step::kCharacter, lead, 1};
  int64_t length = 0;
  uint8_t low = 0x80, high = 0xBF; // range of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    low = lead == 0xE0 ? 0xA0 : 0x80;
    high = lead == 0xED ? 0x9F : 0xBF;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    low = lead == 0xF0 ? 0x90 : 0x80;
    high = lead == 0xF4 ? 0x8F : 0xBF;
  } else {
    return {Utf8Step::kBroken, kReplacementCharacter, 1};
  }
  int32_t codePoint = lead & (0x7F >> length);
  for (int64_t i = 1; i < length; ++i) {
    if (i == static_cast<int64_t>(text.size()))
      return {Utf8Step::kIncomplete, kReplacementCharacter, i};
    if (byte(i) < low || byte(i) > high)
      return {Utf8Step::kBroken, kReplacementCharacter, i};
    codePoint = codePoint << 6 | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8Step::kCharacter, codePoint, length};
}

inline void appendUtf8(std::string &text, int32_t codePoint) {
  auto put = [&](int32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (codePoint < 0x80) {
    put(codePoint);
  } else if (codePoint < 0x800) {
    put(0xC0 | codePoint >> 6);
    put(0x80 | (codePoint & 0x3F));
  } else if (codePoint < 0x10000) {
    put(0xE0 | codePoint >> 12);
    put(0x80 | (codePoint >> 6 & 0x3F));
    put(0x80 | (codePoint & 0x3F));
  } else {
    put(0xF0 | codePoint >> 18);
    put(0x80 | (codePoint >> 12 & 0x3F));
    put(0x80 | (codePoint >> 6 & 0x3F));
    put(0x80 | (codePoint & 0x3F));
  }
}

/// The length of the longest well-formed prefix.
inline int64_t validUtf8Prefix(std::string_view text) {
  int64_t at = 0, size = static_cast<int64_t>(text.size());
  while (at < size) {
    Utf8Step step = readUtf8(text.substr(at));
    if (step.kind != Utf8Step::kCharacter)
      return at;
    at += step.length;
  }
  return at;
}

/// `text` with each broken sequence replaced by U+FFFD; an incomplete one at
/// the end counts as broken.
inline std::string replaceBrokenUtf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    Utf8Step step = readUtf8(text);
    if (step.kind == Utf8Step::kCharacter)
      result.append(text.substr(0, step.length));
    else
      appendUtf8(result, kReplacementCharacter);
    text.remove_prefix(step.length);
  }
  return result;
}

} // namespace qwen
