// Normalizer.cpp - decompose, order the marks, compose; utf8proc supplies the
// tables.
//
// utf8proc_map is not used: it orders marks by bubble sort, quadratic in the
// length of a run, and its tables are younger than the ones a Qwen vocabulary
// was trained with.
#include "runtime/core/Normalizer.h"

#include "runtime/core/Utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <span>
#include <utf8proc.h>
#include <vector>

namespace qwen {
namespace {

struct Range {
  int32_t first, last;
};

// Characters with a combining class that are younger than Unicode 9
// (UnicodeData.txt, DerivedAge.txt, 15.0).
constexpr Range kYoungMarks[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},
    {0x9FE, 0x9FE},     {0xC3C, 0xC3C},     {0xD3B, 0xD3C},
    {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},
    {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x10D24, 0x10D27},
    {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
    {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B},
    {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x1193D, 0x1193E},
    {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42},
    {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42},
    {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF},
};
constexpr int32_t kYoungComposite =
    0x11938; // the one composite younger than Unicode 9

// No character before it is a mark, composes with a predecessor, or changes
// under NFC.
constexpr int32_t kFirstMark = 0x300;

// One before the Hangul final consonants: utf8proc 2.8 would join it to a
// syllable and lose it.
constexpr int32_t kBeforeFinals = 0x11A7;

struct Unit {
  int32_t codePoint;
  int32_t combiningClass;
};

int32_t combiningClassOf(int32_t codePoint) {
  int32_t value = utf8proc_get_property(codePoint)->combining_class;
  if (value == 0)
    return 0;
  const auto *range = std::lower_bound(
      std::begin(kYoungMarks), std::end(kYoungMarks), codePoint,
      [](const Range &r, int32_t c) { return r.last < c; });
  return range != std::end(kYoungMarks) && codePoint >= range->first ? 0
                                                                     : value;
}

void decompose(int32_t codePoint, std::vector<Unit> &units) {
  utf8proc_int32_t parts[8]; // a canonical decomposition has at most 4
  int lastBoundClass = UTF8PROC_BOUNDCLASS_START;
  utf8proc_ssize_t count = 1;
  parts[0] = codePoint;
  if (codePoint >= 0xC0 && codePoint != kYoungComposite)
    count = utf8proc_decompose_char(
        codePoint, parts, 8,
        static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE),
        &lastBoundClass);
  for (utf8proc_ssize_t i = 0; i < count; ++i)
    units.push_back({parts[i], combiningClassOf(parts[i])});
}

/// Sorts marks by class, equal ones in their order: by counting, so that no run
/// is too long.
void sortByClass(std::span<Unit> marks) {
  std::array<size_t, 257> starts = {};
  for (const Unit &mark : marks)
    ++starts[mark.combiningClass + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<Unit> sorted(marks.size());
  for (const Unit &mark : marks)
    sorted[starts[mark.combiningClass]++] = mark;
  std::copy(sorted.begin(), sorted.end(), marks.begin());
}

void orderMarks(std::span<Unit> units) {
  auto byClass = [](const Unit &a, const Unit &b) {
    return a.combiningClass < b.combiningClass;
  };
  for (size_t i = 0; i < units.size();) {
    size_t end = i;
    while (end < units.size() && units[end].combiningClass > 0)
      ++end;
    std::span<Unit> run = units.subspan(i, end - i);
    if (!std::is_sorted(run.begin(), run.end(), byClass))
      sortByClass(run);
    i = end + 1;
  }
}

/// The composite of two code points; -1 when there is none.
int32_t composite(int32_t first, int32_t second) {
  if (second < kFirstMark || second == kBeforeFinals)
    return -1;
  utf8proc_int32_t pair[2] = {first, second};
  utf8proc_ssize_t count = utf8proc_normalize_utf32(
      pair, 2,
      static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  return count == 1 && pair[0] != kYoungComposite ? pair[0] : -1;
}

void compose(std::vector<Unit> &units) {
  int64_t starter = -1, size = 0;
  for (const Unit unit : units) {
    // Blocked: something since the starter is a starter itself, or of a class
    // that is not lower.
    if (starter >= 0 && (size - 1 == starter || units[size - 1].combiningClass <
                                                    unit.combiningClass)) {
      int32_t joined = composite(units[starter].codePoint, unit.codePoint);
      if (joined >= 0) {
        units[starter].codePoint = joined;
        continue;
      }
    }
    if (unit.combiningClass == 0)
      starter = size;
    units[size++] = unit;
  }
  units.resize(size);
}

} // namespace

std::string normalizeNfc(std::string_view text) {
  std::vector<Unit> units;
  bool plain = true;
  for (std::string_view rest = text; plain && !rest.empty();) {
    Utf8Step step = readUtf8(rest);
    plain = step.codePoint < kFirstMark;
    rest.remove_prefix(step.length);
  }
  if (plain)
    return std::string(text);

  units.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    Utf8Step step = readUtf8(rest);
    decompose(step.codePoint, units);
    rest.remove_prefix(step.length);
  }
  orderMarks(units);
  compose(units);
  std::string result;
  result.reserve(text.size());
  for (const Unit &unit : units)
    appendUtf8(result, unit.codePoint);
  return result;
}

} // namespace qwen
