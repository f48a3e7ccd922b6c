// GgufMetadata.h - the typed key/value pairs of a GGUF file.
//
// Source  GGUF specification (ggml docs/gguf.md)
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace qwen {

/// All integer types become int64_t, both float types double. Arrays hold one
/// of the scalar kinds; an empty array is an empty vector of its kind.
using GgufValue = std::variant<bool, int64_t, double, std::string,
                               std::vector<bool>, std::vector<int64_t>,
                               std::vector<double>, std::vector<std::string>>;

struct GgufMetadata {
  std::string path; // of the file, for messages
  std::map<std::string, GgufValue, std::less<>> values;

  /// The value of `key` when it is there and of that kind, else null.
  template <typename T> const T *get(std::string_view key) const {
    auto found = values.find(key);
    return found == values.end() ? nullptr : std::get_if<T>(&found->second);
  }
  const bool *boolean(std::string_view key) const { return get<bool>(key); }
  const int64_t *integer(std::string_view key) const {
    return get<int64_t>(key);
  }
  const double *real(std::string_view key) const { return get<double>(key); }
  const std::string *text(std::string_view key) const {
    return get<std::string>(key);
  }
  const std::vector<std::string> *texts(std::string_view key) const {
    return get<std::vector<std::string>>(key);
  }
  const std::vector<int64_t> *integers(std::string_view key) const {
    return get<std::vector<int64_t>>(key);
  }
  const std::vector<double> *reals(std::string_view key) const {
    return get<std::vector<double>>(key);
  }
  bool has(std::string_view key) const {
    return values.find(key) != values.end();
  }
};

} // namespace qwen
