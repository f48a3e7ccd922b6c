// Json.h - a JSON text as a tree whose every key and value knows where it
// stands.
#pragma once

#include "frontend/diag/Diag.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace qwen {

struct JsonMember;

struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;

  /// An integer that does not fit int64_t is kept as a double.
  std::variant<std::monostate, bool, int64_t, double, std::string, Array,
               Object>
      data;
  int64_t line = 0;
  int64_t column = 0;

  bool isNull() const { return std::holds_alternative<std::monostate>(data); }
  const bool *boolean() const { return std::get_if<bool>(&data); }
  const int64_t *integer() const { return std::get_if<int64_t>(&data); }
  /// The value of any number.
  std::optional<double> number() const;
  const std::string *text() const { return std::get_if<std::string>(&data); }
  const Array *array() const { return std::get_if<Array>(&data); }
  const Object *object() const { return std::get_if<Object>(&data); }
  /// The member `key` of an object; null when absent, or not an object. Linear.
  const JsonValue *find(std::string_view key) const;

  /// For messages: `null`, `true`, `3`, `"text"`, `a list`, `an object`.
  std::string describe() const;
  SourcePosition position(std::string_view file) const {
    return {std::string(file), line, column};
  }
};

struct JsonMember {
  std::string key;
  int64_t line = 0; // of the key
  int64_t column = 0;
  JsonValue value;
};

/// Reports broken text, a duplicate key, or nesting deeper than 64 at its
/// place. `firstColumn` is the column of the text's first byte, for a text that
/// does not start its file.
std::optional<JsonValue> parseJson(std::string_view text, std::string_view file,
                                   Diagnostics &diags, int64_t firstColumn = 1);

/// Reads the whole file; at most 256 MiB.
std::optional<std::string> readTextFile(const std::string &path,
                                        Diagnostics &diags);

std::optional<JsonValue> readJsonFile(const std::string &path,
                                      Diagnostics &diags);

} // namespace qwen
