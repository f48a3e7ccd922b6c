// Files.h - reading whole files, writing the output, files that appear only
// when they are complete.
#ifndef QWEN_RUNTIME_CLI_FILES_H
#define QWEN_RUNTIME_CLI_FILES_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace qwen {

/// The whole file; `-` is the standard input.
Result<std::string> readFile(const std::string &path);

/// Waits until `fd` has something to read, its end included; false if the user
/// asked to stop.
bool waitForInput(int fd);

/// Writes all of `text` to the standard output at once, unbuffered.
Status writeOutput(std::string_view text);

/// `text` with every byte that is not printable ASCII as \xNN, for messages.
std::string printable(std::string_view text);

/// A file that is written beside `path` and renamed to it at the end; an
/// unfinished one is removed.
class NewFile {
public:
  NewFile() = default;
  NewFile(NewFile &&other) noexcept;
  ~NewFile();

  static Result<NewFile> create(const std::string &path);
  Status write(const void *bytes, size_t count);
  /// The next `write` goes to this byte; a no-op where it would anyway.
  Status seek(int64_t offsetBytes);
  /// Everything written is in `path` from here on.
  Status finish();

private:
  Status failed(int errnoValue) const;

  std::string path_, temporary_;
  FILE *file_ = nullptr;
  int64_t at_ = 0;
};

} // namespace qwen

#endif
