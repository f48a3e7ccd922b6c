// CharacterClass.h - the four classes of characters that the pre-tokeniser
// tells apart.
//
// Source  Unicode 16 general categories, as Oniguruma in tokenizers 0.23 knows
// them
#pragma once

#include <cstdint>

namespace qwen {

enum class CharacterClass : uint8_t {
  kLetter, // \p{L}
  kNumber, // \p{N}
  kBlank,  // \s
  kOther,  // all else: punctuation, symbols, marks, controls, unassigned
};

/// The class of a code point, 0 .. 0x10FFFF.
CharacterClass classOf(int32_t codePoint);

} // namespace qwen
