// Diag.h - user-visible errors: the table of their texts, and the collector
// that prints them.
//
// Source  the rows are in Diag.def; a row without a folder in tests/errors
//         fails a test
#pragma once

#include "frontend/diag/SourcePosition.h"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace qwen {

/// One kind of message. `{0}`, `{1}`... in `text` stand for the arguments,
/// whose types are part of the kind.
template <typename... Args> struct Diag {
  const char *id;
  const char *text;
};

/// The number of distinct arguments that `text` names; -1 when one is skipped.
constexpr int64_t countPlaceholders(std::string_view text) {
  bool seen[10] = {};
  for (size_t i = 0; i + 2 < text.size(); ++i)
    if (text[i] == '{' && text[i + 2] == '}' && text[i + 1] >= '0' &&
        text[i + 1] <= '9')
      seen[text[i + 1] - '0'] = true;
  int64_t count = 0;
  while (count < 10 && seen[count])
    ++count;
  for (int64_t i = count; i < 10; ++i)
    if (seen[i])
      return -1;
  return count;
}

namespace diag {

using Text = std::string_view;
using Int = int64_t;
using Real = double;

#define DIAG(ID, TEXT, ...) inline constexpr Diag<__VA_ARGS__> ID{#ID, TEXT};
#include "frontend/diag/Diag.def"

} // namespace diag

/// The id and text of every row of Diag.def, in its order.
struct DiagRow {
  const char *id;
  const char *text;
};
const std::vector<DiagRow> &allDiags();

/// Prints messages as they come: `path:line:col: error: text`, one a line.
class Diagnostics {
public:
  explicit Diagnostics(std::ostream &out) : out(out) {}
  Diagnostics(const Diagnostics &) = delete;
  Diagnostics &operator=(const Diagnostics &) = delete;

  /// Returns nullopt, so that a function with an optional result can return
  /// the call. User text in arguments has its control characters escaped.
  template <typename... Args>
  std::nullopt_t error(const Diag<Args...> &kind, const SourcePosition &at,
                       const std::type_identity_t<Args> &...args) {
    print("error", kind.id, kind.text, at, {format(args)...});
    ++errors;
    return std::nullopt;
  }

  /// A second place that belongs to the error before it.
  template <typename... Args>
  void note(const Diag<Args...> &kind, const SourcePosition &at,
            const std::type_identity_t<Args> &...args) {
    print("note", kind.id, kind.text, at, {format(args)...});
  }

  int64_t errorCount() const { return errors; }
  /// The id of each message so far, notes included; tests read it.
  const std::vector<const char *> &ids() const { return printedIds; }

  static std::string format(std::string_view value);
  static std::string format(int64_t value);
  static std::string format(double value);

private:
  void print(std::string_view kind, const char *id, std::string_view text,
             const SourcePosition &at, const std::vector<std::string> &args);

  std::ostream &out;
  int64_t errors = 0;
  std::vector<const char *> printedIds;
};

} // namespace qwen
