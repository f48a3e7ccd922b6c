// LineReader.cpp - a wait that an interrupt ends.
#include "runtime/cli/LineReader.h"
#include "runtime/cli/Files.h"

#include <cerrno>
#include <unistd.h>

namespace qwen {

Result<std::optional<std::string>> LineReader::next() {
  for (size_t searched = 0;;) {
    size_t end = pending_.find('\n', searched);
    if (end == std::string::npos && ended_ && !pending_.empty())
      end = pending_.size();
    if (end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      if (!line.empty() && line.back() == '\r')
        line.pop_back();
      return std::optional<std::string>(std::move(line));
    }
    if (ended_)
      return std::optional<std::string>();
    searched = pending_.size();
    if (!waitForInput(STDIN_FILENO))
      return Status::cancelled();
    char buffer[4096];
    ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got < 0 && errno != EINTR)
      return Status::system(errno, "cannot read the input");
    if (got > 0)
      pending_.append(buffer, static_cast<size_t>(got));
    else
      ended_ = got == 0;
  }
}

} // namespace qwen
