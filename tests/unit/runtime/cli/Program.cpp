// Program.cpp - fork, exec, pipes.
#include "tests/unit/runtime/cli/Program.h"

#include <csignal>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace qwen {
namespace {

struct Pipe {
  int ends[2];
  Pipe() {
    if (pipe(ends) != 0)
      abort();
  }
};

void closeEnd(int &end) {
  close(end);
  end = -1;
}

} // namespace

Outcome runToy(const std::vector<std::string> &arguments,
               const std::string &input, const std::string &interruptAfter) {
  Pipe in, out, err;
  pid_t child = fork();
  if (child == 0) {
    dup2(in.ends[0], 0);
    dup2(out.ends[1], 1);
    dup2(err.ends[1], 2);
    for (const Pipe *pipe : {&in, &out, &err})
      for (int end : pipe->ends)
        close(end);
    std::vector<char *> words = {const_cast<char *>(QWEN_TOY_APP)};
    for (const std::string &argument : arguments)
      words.push_back(const_cast<char *>(argument.c_str()));
    words.push_back(nullptr);
    execv(QWEN_TOY_APP, words.data());
    _exit(127);
  }
  closeEnd(in.ends[0]);
  closeEnd(out.ends[1]);
  closeEnd(err.ends[1]);
  signal(SIGPIPE, SIG_IGN);
  // Inputs of the tests fit a pipe's buffer.
  if (write(in.ends[1], input.data(), input.size()) < 0)
    closeEnd(in.ends[1]);
  // Kept open while an interrupt is to come, so that the program waits for more
  // input.
  if (interruptAfter.empty() && in.ends[1] >= 0)
    closeEnd(in.ends[1]);
  Outcome outcome;
  bool interrupted = interruptAfter.empty();
  struct {
    int fd;
    std::string &text;
  } streams[] = {{out.ends[0], outcome.out}, {err.ends[0], outcome.err}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    pollfd waits[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
    poll(waits, 2, -1);
    for (int i = 0; i < 2; ++i) {
      char buffer[4096];
      ssize_t got =
          waits[i].revents ? read(streams[i].fd, buffer, sizeof(buffer)) : -1;
      if (got > 0)
        streams[i].text.append(buffer, static_cast<size_t>(got));
      else if (waits[i].revents)
        closeEnd(streams[i].fd);
    }
    if (!interrupted && outcome.out.find(interruptAfter) != std::string::npos) {
      kill(child, SIGINT);
      interrupted = true;
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (in.ends[1] >= 0)
    close(in.ends[1]);
  outcome.exitCode =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

std::string fileBytes(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

} // namespace qwen
