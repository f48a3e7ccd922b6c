// Files.cpp - files of the command line.
#include "runtime/cli/Files.h"
#include "runtime/core/Cancellation.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace qwen {

bool waitForInput(int fd) {
  // An interrupt that arrives just before the wait does not end it, so the wait
  // is short and repeated.
  constexpr int kPollMs = 100;
  pollfd wait = {fd, POLLIN, 0};
  while (!cancellationRequested())
    if (poll(&wait, 1, kPollMs) > 0)
      return true;
  return false;
}

Result<std::string> readFile(const std::string &path) {
  bool input = path == "-";
  int fd = input ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return Status::system(errno, "cannot open the file").at(path);
  std::string text;
  char buffer[1 << 16];
  int error = 0;
  while (waitForInput(fd)) {
    ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      error = errno;
    if (got <= 0)
      break;
    text.append(buffer, static_cast<size_t>(got));
  }
  if (!input)
    close(fd);
  if (cancellationRequested())
    return Status::cancelled();
  if (error != 0)
    return Status::system(error, "cannot read the file")
        .at(input ? "stdin" : path);
  return text;
}

Status writeOutput(std::string_view text) {
  while (!text.empty()) {
    ssize_t put = write(STDOUT_FILENO, text.data(), text.size());
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return Status::system(errno, "cannot write the output");
    text.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

std::string printable(std::string_view text) {
  std::string result;
  for (unsigned char c : text) {
    char escaped[8];
    if (c >= 0x20 && c < 0x7f) {
      result += static_cast<char>(c);
    } else {
      snprintf(escaped, sizeof(escaped), "\\x%02x", c);
      result += escaped;
    }
  }
  return result;
}

NewFile::NewFile(NewFile &&other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)),
      file_(std::exchange(other.file_, nullptr)), at_(other.at_) {}

NewFile::~NewFile() {
  if (file_) {
    fclose(file_);
    unlink(temporary_.c_str());
  }
}

Result<NewFile> NewFile::create(const std::string &path) {
  struct stat found;
  if (stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode) &&
      !S_ISDIR(found.st_mode))
    return Status::invalid("not a regular file, and a file that is renamed to "
                           "it would take its place")
        .at(path);
  NewFile file;
  file.path_ = path;
  file.temporary_ = path + ".part-" + std::to_string(getpid());
  file.file_ = fopen(file.temporary_.c_str(), "wbe");
  if (!file.file_)
    return file.failed(errno);
  return file;
}

Status NewFile::failed(int errnoValue) const {
  return Status::system(errnoValue, "cannot write the file").at(path_);
}

Status NewFile::write(const void *bytes, size_t count) {
  if (fwrite(bytes, 1, count, file_) != count)
    return failed(errno);
  at_ += static_cast<int64_t>(count);
  return {};
}

Status NewFile::seek(int64_t offsetBytes) {
  if (offsetBytes != at_ && fseeko(file_, offsetBytes, SEEK_SET) != 0)
    return failed(errno);
  at_ = offsetBytes;
  return {};
}

Status NewFile::finish() {
  FILE *file = std::exchange(file_, nullptr);
  // A full disk may show only when the file is closed.
  bool written = fclose(file) == 0;
  if (written && rename(temporary_.c_str(), path_.c_str()) == 0)
    return {};
  int error = errno;
  unlink(temporary_.c_str());
  return failed(error);
}

} // namespace qwen
