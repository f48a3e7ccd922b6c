// Executable.h - an executable under judgement: what it was built from, and
// what it says when it runs.
#pragma once

#include "passes/reference/Interpreter.h"
#include "tools/qwenc/CompileOptions.h"
#include "tools/qwenc/verify/Arrays.h"
#include "tools/qwenc/verify/Likeness.h"
#include "tools/qwenc/verify/WorkFolder.h"

#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <vector>

namespace qwen::verify {

bool isExecutable(const std::string &path);

/// The numbers of a file, separated by blanks or commas.
llvm::Expected<reference::Ids> readIds(const std::string &path);

class Executable {
public:
  /// Without `weights` the executable finds its own.
  Executable(std::string path, std::string weights, const WorkFolder &folder)
      : path(std::move(path)), weights(std::move(weights)), folder(folder) {}

  /// What `info --json` says.
  llvm::Expected<std::string> info() const {
    return capture({"info", "--json"});
  }

  /// Sets the options that it was compiled with, down to the points of its
  /// kernels, and where its weights are.
  llvm::Error readInfo(CompileOptions &options);

  /// Its tokenizer's ids; an error when it has none.
  llvm::Expected<reference::Ids> tokenize(const std::string &text) const;

  /// Memory starts as NaN in both.
  llvm::Expected<TapRows> taps(const reference::Ids &ids, bool decode) const;
  /// The file that `taps` reads, at `file`.
  llvm::Error writeTaps(const reference::Ids &ids, bool decode,
                        const std::string &file) const;
  /// The next `count` ids, as text; `sampling` are arguments of `run`.
  llvm::Expected<std::string>
  tokens(const reference::Ids &ids, int64_t count, int64_t threads,
         const std::vector<std::string> &sampling) const;
  /// Writes the logits as a NumPy file, f32 [T, V]. 0: its own count of threads
  /// and tokens of a chunk.
  llvm::Error writeLogits(const reference::Ids &ids, int64_t threads,
                          int64_t chunk, const std::string &file) const;
  /// The same as bytes.
  llvm::Expected<std::string> logits(const reference::Ids &ids, int64_t threads,
                                     int64_t chunk) const;

  /// Tokens a second of one run of `bench`.
  struct Speed {
    double prefill = 0, decode = 0;
  };
  llvm::Expected<Speed> bench(int64_t prompt, int64_t generate,
                              const std::string &threads,
                              unsigned limitSeconds) const;

  bool hasTaps = false;
  /// Matrices with values made anew by `--bits`, and what it said of them.
  std::map<std::string, Likeness> madeAnew;
  std::string path, weights;

private:
  const WorkFolder &folder;

  static constexpr unsigned kLimitSeconds = 600; // of a run

  /// What a run with these arguments says on standard output; the error has
  /// what it says on the other.
  llvm::Expected<std::string>
  capture(std::vector<std::string> arguments,
          unsigned limitSeconds = kLimitSeconds) const;
  llvm::Error writeIds(const reference::Ids &ids) const;
};

} // namespace qwen::verify
