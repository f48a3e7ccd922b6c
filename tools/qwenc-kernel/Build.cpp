// Build.cpp - compiles kernels, each in a child process: Halide's LLVM aborts
// on its own bugs, and that must name a symbol.
#include "tools/qwenc-kernel/Build.h"
#include "codegen/kernels/Kernel.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <set>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qwen {
namespace {

struct Child {
  std::string symbol;
  int errorPipe;
};

std::string firstLines(const std::string &text) {
  std::string line = text.substr(0, 2000);
  while (!line.empty() && line.back() == '\n')
    line.pop_back();
  return line;
}

/// In the child: never returns. What goes wrong is written to `errorPipe`.
[[noreturn]] void runChild(const KernelSymbol &symbol,
                           const BuildOptions &options, int errorPipe) {
  dup2(errorPipe, STDERR_FILENO);
  std::signal(SIGINT, SIG_DFL);
  if (options.limitSeconds > 0)
    alarm(unsigned(options.limitSeconds));
  const std::filesystem::path object =
      options.directory / (symbol.str() + ".o");
  std::string text;
  try {
    compileObject(symbol, object, options.assembly);
    _exit(0);
  } catch (const codegen::KernelError &error) {
    text = error.text;
  } catch (const Halide::Error &error) {
    text = error.what();
  } catch (const std::exception &error) {
    text = error.what();
  }
  [[maybe_unused]] ssize_t written = write(errorPipe, text.data(), text.size());
  _exit(1);
}

std::string drain(int pipe) {
  std::string text;
  char block[4096];
  for (ssize_t size; (size = read(pipe, block, sizeof(block))) > 0 ||
                     (size < 0 && errno == EINTR);)
    if (size > 0)
      text.append(block, size_t(size));
  close(pipe);
  return text;
}

} // namespace

void compileObject(const KernelSymbol &symbol,
                   const std::filesystem::path &object, bool assembly) {
  const std::string scratch = object.string() + "." + std::to_string(getpid());
  std::map<Halide::OutputFileType, std::string> files{
      {Halide::OutputFileType::object, scratch}};
  if (assembly)
    files[Halide::OutputFileType::assembly] =
        std::filesystem::path(object).replace_extension(".s").string();
  codegen::writeKernel(symbol, files);
  std::filesystem::rename(scratch, object);
}

std::vector<std::string> buildObjects(const std::vector<KernelSymbol> &symbols,
                                      const BuildOptions &options) {
  std::deque<KernelSymbol> waiting;
  std::set<std::string> seen;
  for (const KernelSymbol &symbol : symbols)
    if (seen.insert(symbol.str()).second &&
        !(options.reuse &&
          std::filesystem::exists(options.directory / (symbol.str() + ".o"))))
      waiting.push_back(symbol);

  std::vector<std::string> failures;
  std::map<pid_t, Child> running;
  int64_t done = 0;
  while (!waiting.empty() || !running.empty()) {
    if (options.stop && *options.stop)
      waiting.clear();
    while (!waiting.empty() &&
           int64_t(running.size()) < std::max<int64_t>(1, options.jobs)) {
      const KernelSymbol symbol = waiting.front();
      waiting.pop_front();
      int ends[2];
      if (pipe2(ends, O_CLOEXEC) != 0) {
        failures.push_back(symbol.str() + ": pipe: " + std::strerror(errno));
        continue;
      }
      const pid_t pid = fork();
      if (pid == 0)
        runChild(symbol, options, ends[1]);
      close(ends[1]);
      if (pid < 0) {
        close(ends[0]);
        failures.push_back(symbol.str() + ": fork: " + std::strerror(errno));
        continue;
      }
      running[pid] = {symbol.str(), ends[0]};
    }
    if (running.empty())
      continue;
    int status = 0;
    const pid_t pid = wait(&status);
    const auto child = running.find(pid);
    if (child == running.end())
      continue;
    const std::string text = firstLines(drain(child->second.errorPipe));
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
      failures.push_back(child->second.symbol +
                         ": compiling took longer than " +
                         std::to_string(options.limitSeconds) + " s");
    else if (WIFSIGNALED(status))
      failures.push_back(
          child->second.symbol + ": the kernel compiler ended by signal " +
          std::to_string(WTERMSIG(status)) + (text.empty() ? "" : ": " + text));
    else if (WEXITSTATUS(status) != 0)
      failures.push_back(child->second.symbol + ": " + text);
    ++done;
    if (options.progress)
      options.progress(child->second.symbol, done);
    running.erase(child);
  }
  return failures;
}

} // namespace qwen
