// Status.h - how the runtime reports that something did not work; no
// exceptions, no asserts for a user's mistake.
#ifndef QWEN_RUNTIME_CORE_STATUS_H
#define QWEN_RUNTIME_CORE_STATUS_H

#include <optional>
#include <string>
#include <utility>

namespace qwen {

enum class Code {
  kOk,      // it worked
  kInvalid, // a flag, prompt, id or file that the user gave is wrong: they can
            // fix it
  kUnsupported, // the request is right, but this executable or CPU cannot do
                // it: no tokenizer, a missing CPU feature
  kSystem, // the operating system refused: open, map, memory, threads, writing
  kCancelled, // the user interrupted; what was produced so far stands
  kInternal,  // an invariant of ours is broken, whatever the user did
};

/// A code and its text: lower case, no period, both numbers. `where` is the
/// file the text is about, if any: `path` or `path:line:col`.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Code code, std::string text, std::string where = {})
      : code_(code), text_(std::move(text)), where_(std::move(where)) {}

  static Status invalid(const char *format, ...)
      __attribute__((format(printf, 1, 2)));
  static Status unsupported(const char *format, ...)
      __attribute__((format(printf, 1, 2)));
  static Status internal(const char *format, ...)
      __attribute__((format(printf, 1, 2)));
  /// Appends ": " and the text of `errnoValue`.
  static Status system(int errnoValue, const char *format, ...)
      __attribute__((format(printf, 2, 3)));
  static Status cancelled() { return {Code::kCancelled, "interrupted"}; }

  /// The same status, about the file `where`.
  Status at(std::string where) const {
    return {code_, text_, std::move(where)};
  }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string &text() const { return text_; }
  const std::string &where() const { return where_; }

  /// The line for stderr: `where: error: text`, or `program: error: text`
  /// without a `where`.
  std::string line(const char *program) const;
  /// The exit code of a program that ends with this status: 0, 1, 130
  /// (interrupted) or 70 (internal).
  int exitCode() const;

private:
  Code code_ = Code::kOk;
  std::string text_, where_;
};

/// A value, or why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {}

  bool ok() const { return value_.has_value(); }
  const Status &status() const { return status_; }
  T &operator*() { return *value_; }
  const T &operator*() const { return *value_; }
  T *operator->() { return &*value_; }
  const T *operator->() const { return &*value_; }

private:
  Status status_;
  std::optional<T> value_;
};

} // namespace qwen

#endif
