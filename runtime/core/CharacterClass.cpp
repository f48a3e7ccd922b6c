// CharacterClass.cpp - classes by utf8proc's categories, and those of the
// characters younger than its tables.
#include "runtime/core/CharacterClass.h"

#include <algorithm>
#include <iterator>
#include <utf8proc.h>

namespace qwen {
namespace {

using enum CharacterClass;

struct ClassRange {
  int32_t first, last;
  CharacterClass value;
};

// Letters and numbers of Unicode 15.1 and 16 (DerivedAge.txt), which
// utf8proc 2.8 (Unicode 15.0) takes for unassigned.
constexpr ClassRange kYoungRanges[] = {
    {0x1C89, 0x1C8A, kLetter},   {0xA7CB, 0xA7CD, kLetter},
    {0xA7DA, 0xA7DC, kLetter},   {0x105C0, 0x105F3, kLetter},
    {0x10D40, 0x10D49, kNumber}, {0x10D4A, 0x10D65, kLetter},
    {0x10D6F, 0x10D85, kLetter}, {0x10EC2, 0x10EC4, kLetter},
    {0x11380, 0x11389, kLetter}, {0x1138B, 0x1138B, kLetter},
    {0x1138E, 0x1138E, kLetter}, {0x11390, 0x113B5, kLetter},
    {0x113B7, 0x113B7, kLetter}, {0x113D1, 0x113D1, kLetter},
    {0x113D3, 0x113D3, kLetter}, {0x116D0, 0x116E3, kNumber},
    {0x11BC0, 0x11BE0, kLetter}, {0x11BF0, 0x11BF9, kNumber},
    {0x13460, 0x143FA, kLetter}, {0x16100, 0x1611D, kLetter},
    {0x16130, 0x16139, kNumber}, {0x16D40, 0x16D6C, kLetter},
    {0x16D70, 0x16D79, kNumber}, {0x18CFF, 0x18CFF, kLetter},
    {0x1CCF0, 0x1CCF9, kNumber}, {0x1E5D0, 0x1E5ED, kLetter},
    {0x1E5F0, 0x1E5F0, kLetter}, {0x1E5F1, 0x1E5FA, kNumber},
    {0x2EBF0, 0x2EE5D, kLetter},
};

bool isBlank(int32_t c) { // the White_Space property
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

} // namespace

CharacterClass classOf(int32_t codePoint) {
  if (codePoint < 0x80) {
    int32_t lower = codePoint | 0x20;
    if (lower >= 'a' && lower <= 'z')
      return kLetter;
    if (codePoint >= '0' && codePoint <= '9')
      return kNumber;
    return isBlank(codePoint) ? kBlank : kOther;
  }
  switch (utf8proc_category(codePoint)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
    return kLetter;
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_NO:
    return kNumber;
  case UTF8PROC_CATEGORY_CN: {
    const auto *range = std::lower_bound(
        std::begin(kYoungRanges), std::end(kYoungRanges), codePoint,
        [](const ClassRange &r, int32_t c) { return r.last < c; });
    return range != std::end(kYoungRanges) && codePoint >= range->first
               ? range->value
               : kOther;
  }
  default:
    return isBlank(codePoint) ? kBlank : kOther;
  }
}

} // namespace qwen
