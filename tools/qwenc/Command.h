// Command.h - what a subcommand of qwenc provides, and the exit codes.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace qwen {

inline constexpr int kExitUser =
    1; // the user's input or machine, said in one line
inline constexpr int kExitBroken =
    70; // a bug of the compiler; a reproducer is written

/// Adds a subcommand and returns what runs it; its result is the exit code.
using AddCommand = std::function<int()> (*)(CLI::App &app);

std::function<int()> addCompileCommand(CLI::App &app);
std::function<int()> addInterpretCommand(CLI::App &app);
std::function<int()> addVerifyCommand(CLI::App &app);
std::function<int()> addTuneCommand(CLI::App &app);
std::function<int()> addQualityCommand(CLI::App &app);

} // namespace qwen
