// ChildProcess.cpp - starting a program and turning its end into an error.
#include "codegen/emit/ChildProcess.h"

#include "codegen/emit/OutputFile.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Program.h"

namespace qwen {

llvm::Error runProgram(const std::string &program,
                       const std::vector<std::string> &arguments) {
  llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName(program);
  if (!found)
    return userError("cannot find the program `" + program + "`");
  llvm::SmallVector<llvm::StringRef> words = {*found};
  words.append(arguments.begin(), arguments.end());
  std::string message;
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
