// Diag.cpp - formatting of user-visible errors.
#include "frontend/diag/Diag.h"

#include <charconv>
#include <cmath>
#include <ostream>

namespace qwen {

#define DIAG(ID, TEXT, ...)                                                    \
  static_assert(                                                               \
      []<typename... Args>(const Diag<Args...> &) {                            \
        return countPlaceholders(TEXT) == int64_t(sizeof...(Args));            \
      }(diag::ID),                                                             \
      #ID ": the text and the argument list disagree");
#include "frontend/diag/Diag.def"

const std::vector<DiagRow> &allDiags() {
  static const std::vector<DiagRow> rows = {
#define DIAG(ID, TEXT, ...) {#ID, TEXT},
#include "frontend/diag/Diag.def"
  };
  return rows;
}

// Text from a file may be long or hold terminal control codes.
std::string Diagnostics::format(std::string_view value) {
  constexpr size_t kLongest = 400;
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (char c : value.substr(0, kLongest)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    else
      text += c;
  }
  if (value.size() > kLongest)
    text += "...";
  return text;
}

std::string Diagnostics::format(int64_t value) { return std::to_string(value); }

std::string Diagnostics::format(double value) {
  constexpr double kShownWhole = 1e15;
  if (std::trunc(value) == value && std::abs(value) < kShownWhole)
    return std::to_string(int64_t(value));
  char buffer[32];
  auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, result.ptr);
}

void Diagnostics::print(std::string_view kind, const char *id,
                        std::string_view text, const SourcePosition &at,
                        const std::vector<std::string> &args) {
  printedIds.push_back(id);
  out << format(at.file);
  if (at.line > 0)
    out << ':' << at.line << ':' << at.column;
  out << ": " << kind << ": ";
  for (size_t i = 0; i < text.size(); ++i) {
    bool placeholder = text[i] == '{' && i + 2 < text.size() &&
                       text[i + 2] == '}' && text[i + 1] >= '0' &&
                       text[i + 1] <= '9';
    if (!placeholder) {
      out << text[i];
      continue;
    }
    out << args[static_cast<size_t>(text[i + 1] - '0')];
    i += 2;
  }
  out << '\n';
}

} // namespace qwen
