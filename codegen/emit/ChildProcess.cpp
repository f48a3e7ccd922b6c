// ChildProcess.cpp - starting a program and turning its end into an error.
#include "codegen/emit/ChildProcess.h"

#include "codegen/emit/OutputFile.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Program.h"

#include <fcntl.h>
#include <unistd.h>

namespace qwen {
namespace {

/// While it lives, what is written to standard output goes to standard error:
/// programs that this one starts only report progress.
class OutputToError {
public:
  OutputToError() : saved(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)) {
    if (saved >= 0)
      ::dup2(STDERR_FILENO, STDOUT_FILENO);
  }
  OutputToError(const OutputToError &) = delete;
  OutputToError &operator=(const OutputToError &) = delete;
  ~OutputToError() {
    if (saved < 0)
      return;
    ::dup2(saved, STDOUT_FILENO);
    ::close(saved);
  }

private:
  int saved;
};

} // namespace

llvm::Error runProgram(const std::string &program,
                       const std::vector<std::string> &arguments) {
  llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName(program);
  if (!found)
    return userError("cannot find the program `" + program + "`");
  llvm::SmallVector<llvm::StringRef> words = {*found};
  words.append(arguments.begin(), arguments.end());
  std::string message;
  OutputToError redirected;
  int status = llvm::sys::ExecuteAndWait(*found, words, std::nullopt, {}, 0, 0,
                                         &message);
  if (status == 0)
    return llvm::Error::success();
  if (status < 0)
    return userError("`" + program + "` did not run to its end: " + message);
  return userError("`" + program + "` failed with exit code " +
                   llvm::Twine(status));
}

} // namespace qwen
