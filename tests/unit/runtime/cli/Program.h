// Program.h - runs the toy program as a user would.
#ifndef QWEN_TESTS_UNIT_RUNTIME_CLI_PROGRAM_H
#define QWEN_TESTS_UNIT_RUNTIME_CLI_PROGRAM_H

#include <string>
#include <vector>

namespace qwen {

struct Outcome {
  int exitCode = 0; // 128 + signal if a signal ended it
  std::string out, err;
};

/// Runs the toy program with `arguments` and `input` as its standard input. If
/// `interruptAfter` is given, sends SIGINT as soon as the output contains it.
Outcome runToy(const std::vector<std::string> &arguments,
               const std::string &input = "",
               const std::string &interruptAfter = "");

/// The bytes of a file; empty if there is none.
std::string fileBytes(const std::string &path);

} // namespace qwen

#endif
