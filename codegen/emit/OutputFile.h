// OutputFile.h - output files that appear whole or not at all: written beside
// their place, then renamed.
#pragma once

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace qwen {

/// A file under a temporary name in the target's folder. `commit` renames it;
/// without that the destructor removes it.
class OutputFile {
public:
  explicit OutputFile(std::string path);
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;
  ~OutputFile();

  const std::string &path() const { return target; }
  const std::string &temporary() const { return temporaryPath; }

  /// Creates or truncates the temporary file and fills it with `bytes`.
  llvm::Error write(llvm::StringRef bytes);
  /// Adds `bytes` at the end of the temporary file.
  llvm::Error append(llvm::StringRef bytes);
  /// Makes the temporary file `bytes` long and reserves the blocks, so that a
  /// full disk shows before the work starts.
  llvm::Error reserve(int64_t bytes);
  llvm::Error commit();

private:
  std::string target, temporaryPath;
};

/// An error whose text is a whole user-facing message without a `qwenc: error:
/// ` prefix.
llvm::Error userError(const llvm::Twine &message);

/// Writes `bytes` to `path` by way of a temporary file; "-" is standard output.
llvm::Error writeOutput(const std::string &path, llvm::StringRef bytes);

} // namespace qwen
