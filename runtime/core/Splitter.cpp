// Splitter.cpp - the alternatives of Qwen2's pattern, in its order, over
// character classes.
#include "runtime/core/Splitter.h"

#include "runtime/core/CharacterClass.h"
#include "runtime/core/Utf8.h"

namespace qwen {
namespace {

using enum CharacterClass;

constexpr int32_t kEnd = -1;

class Cursor {
public:
  explicit Cursor(std::string_view text) : text(text) { read(); }

  int32_t codePoint() const { return current; }
  bool is(CharacterClass wanted) const {
    return current != kEnd && currentClass == wanted;
  }
  bool isNewline() const { return current == '\r' || current == '\n'; }
  int64_t offset() const { return at; }
  void advance() {
    at += length;
    read();
  }

private:
  void read() {
    length = 0;
    current = kEnd;
    if (at == static_cast<int64_t>(text.size()))
      return;
    Utf8Step step = readUtf8(text.substr(at));
    current = step.codePoint;
    length = step.length;
    currentClass = classOf(current);
  }

  std::string_view text;
  int64_t at = 0, length = 0;
  int32_t current = kEnd;
  CharacterClass currentClass = kOther;
};

int64_t skipLetters(Cursor cursor) {
  while (cursor.is(kLetter))
    cursor.advance();
  return cursor.offset();
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d); ignoring case, U+017F (long s) is an s too. 0
// when there is none.
int64_t contractionLength(std::string_view text) {
  if (text.size() < 2 || text[0] != '\'')
    return 0;
  auto letter = [&](size_t i) {
    return i < text.size() ? static_cast<char>(text[i] | 0x20) : '\0';
  };
  switch (letter(1)) {
  case 's':
  case 't':
  case 'm':
  case 'd':
    return 2;
  case 'r':
  case 'v':
    return letter(2) == 'e' ? 3 : 0;
  case 'l':
    return letter(2) == 'l' ? 3 : 0;
  default:
    return text.substr(1, 2) == "\u017F" ? 3 : 0;
  }
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at a blank: up to the last newline of the run; else
// the run without its last character, which goes with what follows; else the
// run.
int64_t blankLength(Cursor cursor) {
  int64_t afterNewline = 0, beforeLast = 0;
  while (cursor.is(kBlank)) {
    beforeLast = cursor.offset();
    bool newline = cursor.isNewline();
    cursor.advance();
    if (newline)
      afterNewline = cursor.offset();
  }
  if (afterNewline > 0)
    return afterNewline;
  return cursor.codePoint() == kEnd || beforeLast == 0 ? cursor.offset()
                                                       : beforeLast;
}

} // namespace

int64_t firstWordLength(std::string_view text) {
  if (int64_t length = contractionLength(text))
    return length;

  Cursor first(text);
  if (first.is(kLetter))
    return skipLetters(first);
  Cursor second = first;
  second.advance();
  if (first.is(kNumber))
    return second.offset();
  if (!first.isNewline() && second.is(kLetter))
    return skipLetters(second);

  Cursor mark = first.codePoint() == ' ' ? second : first;
  if (!mark.is(kOther))
    return blankLength(first);
  while (mark.is(kOther))
    mark.advance();
  while (mark.isNewline())
    mark.advance();
  return mark.offset();
}

} // namespace qwen
