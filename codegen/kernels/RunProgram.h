// RunProgram.h - another program, waited for.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace qwen::codegen {

/// Runs a program, found as a shell finds it, with this one's output streams.
/// How it failed, else nothing.
std::optional<std::string> runProgram(std::vector<std::string> words);

} // namespace qwen::codegen
