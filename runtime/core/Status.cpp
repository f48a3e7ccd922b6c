// Status.cpp - texts of statuses.
#include "runtime/core/Status.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace qwen {
namespace {

std::string formatted(const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(nullptr, 0, format, args);
  std::string text(length > 0 ? static_cast<size_t>(length) : 0, '\0');
  vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  return text;
}

} // namespace

Status Status::invalid(const char *format, ...) {
  va_list args;
  va_start(args, format);
  Status status(Code::kInvalid, formatted(format, args));
  va_end(args);
  return status;
}

Status Status::unsupported(const char *format, ...) {
  va_list args;
  va_start(args, format);
  Status status(Code::kUnsupported, formatted(format, args));
  va_end(args);
  return status;
}

Status Status::internal(const char *format, ...) {
  va_list args;
  va_start(args, format);
  Status status(Code::kInternal, formatted(format, args));
  va_end(args);
  return status;
}

Status Status::system(int errnoValue, const char *format, ...) {
  va_list args;
  va_start(args, format);
  std::string text = formatted(format, args);
  va_end(args);
  char buffer[128];
  return {Code::kSystem,
          text + ": " + strerror_r(errnoValue, buffer, sizeof(buffer))};
}

std::string Status::line(const char *program) const {
  return (where_.empty() ? program : where_) +
         (code_ == Code::kInternal ? ": internal error: " : ": error: ") +
         text_;
}

int Status::exitCode() const {
  switch (code_) {
  case Code::kOk:
    return 0;
  case Code::kInvalid:
  case Code::kUnsupported:
  case Code::kSystem:
    return 1;
  case Code::kCancelled:
    return 130;
  case Code::kInternal:
    return 70;
  }
  return 70;
}

} // namespace qwen
