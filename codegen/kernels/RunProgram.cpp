// RunProgram.cpp - by posix_spawn.
#include "codegen/kernels/RunProgram.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

namespace qwen::codegen {

std::optional<std::string> runProgram(std::vector<std::string> words) {
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  int status = 0;
  if (posix_spawnp(&pid, arguments[0], nullptr, nullptr, arguments.data(),
                   environ) != 0 ||
      waitpid(pid, &status, 0) != pid)
    return "cannot run `" + words[0] + "`";
  if (WIFSIGNALED(status))
    return "`" + words[0] + "` ended by signal " +
           std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0)
    return "`" + words[0] + "` failed with exit code " +
           std::to_string(WEXITSTATUS(status));
  return std::nullopt;
}

} // namespace qwen::codegen
