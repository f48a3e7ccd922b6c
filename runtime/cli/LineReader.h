// LineReader.h - the lines that a chat waits for.
#ifndef QWEN_RUNTIME_CLI_LINEREADER_H
#define QWEN_RUNTIME_CLI_LINEREADER_H

#include "runtime/core/Status.h"

#include <optional>
#include <string>

namespace qwen {

/// Lines of the standard input. A wait for one ends when the user asks to stop.
class LineReader {
public:
  /// The next line without its end; none at the end of the input; kCancelled if
  /// the user asked to stop.
  Result<std::optional<std::string>> next();

private:
  std::string pending_;
  bool ended_ = false;
};

} // namespace qwen

#endif
