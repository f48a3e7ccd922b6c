// Json.cpp - nlohmann's parser driven with an iterator that counts lines, and a
// handler that builds the located tree.
#include "frontend/diag/Json.h"

#include "nlohmann/json.hpp"

#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unordered_set>

namespace qwen {
namespace {

constexpr size_t kDeepest = 64;
constexpr int64_t kLargestFileBytes = int64_t(256) << 20;

struct Place {
  int64_t line = 1;
  int64_t column = 1;
};

/// Follows the characters the lexer takes, and notes where the last token
/// started. The lexer runs at most one character beyond a token (a number), and
/// that character starts none.
class Tracker {
public:
  explicit Tracker(int64_t firstColumn) : next{1, firstColumn} {}

  void take(char c) {
    taken += 1;
    last = next;
    if (c == '\n')
      next = {next.line + 1, 1};
    else
      ++next.column;
    if (inString) {
      if (escaped)
        escaped = false;
      else if (c == '\\')
        escaped = true;
      else if (c == '"')
        inString = false;
      return;
    }
    bool delimiter = std::strchr(" \t\r\n,:]}", c) != nullptr;
    bool opens = c == '"' || c == '[' || c == '{';
    if (opens || (!delimiter && !inScalar)) {
      token = last;
      tokenOffset = taken - 1;
    }
    inString = c == '"';
    inScalar = !delimiter && !opens;
  }

  bool insideString() const { return inString; }

  Place token; // first character of the last token
  size_t tokenOffset = 0;
  Place last; // the last character taken
  Place next; // the character after it

private:
  size_t taken = 0;
  bool inString = false;
  bool escaped = false;
  bool inScalar = false;
};

class TrackedIterator {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;

  TrackedIterator(std::string_view::const_iterator at, Tracker *tracker)
      : at(at), tracker(tracker) {}
  reference operator*() const { return *at; }
  TrackedIterator &operator++() {
    tracker->take(*at++);
    return *this;
  }
  TrackedIterator operator++(int) {
    TrackedIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedIterator &other) const { return at == other.at; }
  bool operator!=(const TrackedIterator &other) const { return at != other.at; }

private:
  std::string_view::const_iterator at;
  Tracker *tracker;
};

/// nlohmann's SAX interface; each function returns whether to go on.
class TreeBuilder {
public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  TreeBuilder(std::string_view text, std::string_view file,
              const Tracker &tracker, Diagnostics &diags)
      : text(text), file(file), tracker(tracker), diags(diags) {}

  bool null() { return add(std::monostate()); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(number_integer_t value) { return add(int64_t(value)); }
  bool number_unsigned(number_unsigned_t value) {
    if (value > uint64_t(INT64_MAX))
      return add(double(value));
    return add(int64_t(value));
  }
  bool number_float(number_float_t value, const string_t &) {
    return add(double(value));
  }
  bool string(string_t &value) { return add(std::move(value)); }
  bool binary(binary_t &) { return false; }

  bool start_object(size_t) { return open(JsonValue::Object()); }
  bool end_object() { return close(); }
  bool start_array(size_t) { return open(JsonValue::Array()); }
  bool end_array() { return close(); }

  bool key(string_t &name) {
    Scope &scope = scopes.back();
    auto &members = std::get<JsonValue::Object>(scope.value->data);
    Place at = tracker.token;
    if (!scope.keys.insert(name).second) {
      diags.error(diag::JsonDuplicateKey, place(at), name);
      for (const JsonMember &member : members)
        if (member.key == name)
          diags.note(diag::GivenHere,
                     {std::string(file), member.line, member.column}, name);
      return false;
    }
    members.push_back({std::move(name), at.line, at.column, {}});
    return true;
  }

  template <typename Exception>
  bool parse_error(size_t position, const std::string &,
                   const Exception &error) {
    constexpr int kNumberOutOfRange = 406;
    // The lexer counts the end of the text as one more character.
    if (position > text.size()) {
      diags.error(diag::JsonTruncated, place(tracker.next));
    } else if (error.id == kNumberOutOfRange) {
      diags.error(diag::JsonNumberRange, place(tracker.token));
    } else {
      size_t from = tracker.tokenOffset;
      size_t last = position == 0 ? 0 : position - 1;
      Place at = tracker.token;
      bool punctuation = std::strchr(",:]}", text[last]) != nullptr;
      if (!tracker.insideString() && punctuation) {
        from = last;
        at = tracker.last;
      }
      constexpr size_t kSnippet = 40;
      diags.error(diag::JsonBroken, place(at),
                  text.substr(from, std::min(last + 1 - from, kSnippet)));
    }
    return false;
  }

  JsonValue root;

private:
  struct Scope {
    JsonValue *value;
    std::unordered_set<std::string> keys; // of an object
  };

  SourcePosition place(Place at) const {
    return {std::string(file), at.line, at.column};
  }

  JsonValue *slot() {
    if (scopes.empty())
      return &root;
    JsonValue *parent = scopes.back().value;
    if (auto *array = std::get_if<JsonValue::Array>(&parent->data))
      return &array->emplace_back();
    return &std::get<JsonValue::Object>(parent->data).back().value;
  }

  template <typename T> JsonValue *append(T &&data) {
    JsonValue *value = slot();
    value->data = std::forward<T>(data);
    value->line = tracker.token.line;
    value->column = tracker.token.column;
    return value;
  }

  template <typename T> bool add(T &&data) {
    append(std::forward<T>(data));
    return true;
  }

  // A value's address is stable while its scope is open: only the innermost
  // scope grows.
  template <typename T> bool open(T &&data) {
    if (scopes.size() == kDeepest) {
      diags.error(diag::JsonTooDeep, place(tracker.token), int64_t(kDeepest));
      return false;
    }
    scopes.push_back({append(std::forward<T>(data)), {}});
    return true;
  }

  bool close() {
    scopes.pop_back();
    return true;
  }

  std::string_view text;
  std::string_view file;
  const Tracker &tracker;
  Diagnostics &diags;
  std::vector<Scope> scopes;
};

} // namespace

std::optional<double> JsonValue::number() const {
  if (const auto *whole = std::get_if<int64_t>(&data))
    return double(*whole);
  if (const auto *real = std::get_if<double>(&data))
    return *real;
  return std::nullopt;
}

const JsonValue *JsonValue::find(std::string_view key) const {
  if (const Object *members = object())
    for (const JsonMember &member : *members)
      if (member.key == key)
        return &member.value;
  return nullptr;
}

std::string JsonValue::describe() const {
  if (const bool *value = boolean())
    return *value ? "true" : "false";
  if (const int64_t *value = integer())
    return Diagnostics::format(*value);
  if (const auto *value = std::get_if<double>(&data))
    return Diagnostics::format(*value);
  if (const std::string *value = text())
    return '"' + *value + '"';
  if (array())
    return "a list";
  return isNull() ? "null" : "an object";
}

std::optional<JsonValue> parseJson(std::string_view text, std::string_view file,
                                   Diagnostics &diags, int64_t firstColumn) {
  Tracker tracker(firstColumn);
  TreeBuilder builder(text, file, tracker, diags);
  TrackedIterator begin(text.begin(), &tracker);
  TrackedIterator end(text.end(), &tracker);
  bool good = nlohmann::json::sax_parse(begin, end, &builder);
  if (!good)
    return std::nullopt;
  return std::move(builder.root);
}

std::optional<std::string> readTextFile(const std::string &path,
                                        Diagnostics &diags) {
  SourcePosition at{path};
  std::error_code failure;
  auto status = std::filesystem::status(path, failure);
  if (status.type() == std::filesystem::file_type::none)
    return diags.error(diag::FileUnreadable, at, failure.message());
  if (!std::filesystem::exists(status))
    return diags.error(diag::FileMissing, at);
  if (!std::filesystem::is_regular_file(status))
    return diags.error(diag::FileNotRegular, at);
  auto bytes = std::filesystem::file_size(path, failure);
  if (failure)
    return diags.error(diag::FileUnreadable, at, failure.message());
  if (bytes > uint64_t(kLargestFileBytes))
    return diags.error(diag::FileTooLarge, at,
                       int64_t(std::min<uint64_t>(bytes, INT64_MAX)),
                       kLargestFileBytes);
  std::ifstream in(path, std::ios::binary);
  std::string text(bytes, '\0');
  if (!in)
    return diags.error(diag::FileUnreadable, at, std::strerror(errno));
  in.read(text.data(), std::streamsize(bytes));
  if (in.gcount() != std::streamsize(bytes))
    return diags.error(diag::FileUnreadable, at, "it shrank while being read");
  return text;
}

std::optional<JsonValue> readJsonFile(const std::string &path,
                                      Diagnostics &diags) {
  std::optional<std::string> text = readTextFile(path, diags);
  if (!text)
    return std::nullopt;
  return parseJson(*text, path, diags);
}

} // namespace qwen

#ifdef QWENC_FUZZ
#include <sstream>
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::ostringstream messages;
  qwen::Diagnostics diags(messages);
  std::string_view text(reinterpret_cast<const char *>(data), size);
  qwen::parseJson(text, "fuzz.json", diags);
  return 0;
}
#endif
