// Main.cpp - the program around a compiled model: parses the command line, runs
// a subcommand, gives the exit code.
//
// Exit codes: 0 done; 1 the user's error, told on stderr; 130 interrupted; 70
// an error of ours.
#include "runtime/cli/Command.h"
#include "runtime/core/Cancellation.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

namespace qwen {
namespace {

template <typename T>
void addRow(CLI::App &app, const OptionRow &row, T *target) {
  app.add_option_function<T>(
      row.names, [target](const T &value) { *target = value; }, row.help);
}

template <typename T>
void addRow(CLI::App &app, const OptionRow &row, std::optional<T> *target) {
  app.add_option_function<T>(
      row.names, [target](const T &value) { *target = value; }, row.help);
}

template <typename T>
void addRow(CLI::App &app, const OptionRow &row, std::vector<T> *target) {
  CLI::Option *option = app.add_option(row.names, *target, row.help);
  if constexpr (std::is_same_v<T, int64_t>)
    option->delimiter(',');
}

void addRow(CLI::App &app, const OptionRow &row, bool *target) {
  app.add_flag(row.names, *target, row.help);
}

int runProgram(int argc, char **argv) {
  const char *slash = strrchr(argv[0], '/');
  std::string program = slash ? slash + 1 : argv[0];
  CLI::App app("A compiled language model. `" + program +
                   " COMMAND --help` tells a command's options.",
               program);
  app.require_subcommand(1);
  std::unique_ptr<Command> all[] = {
      commands::run(),        commands::chat(),     commands::bench(),
      commands::logits(),     commands::tokenize(), commands::detokenize(),
      commands::perplexity(), commands::taps(),     commands::info()};
  Command *chosen = nullptr;
  for (std::unique_ptr<Command> &command : all) {
    CLI::App *sub = app.add_subcommand(command->name(), command->help());
    sub->callback([&chosen, &command] { chosen = command.get(); });
    for (const OptionRow &row : command->options())
      std::visit([&](auto *target) { addRow(*sub, row, target); }, row.target);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  installCancellation();
  // A file larger than the system allows is an error of the write, not a
  // signal.
  signal(SIGXFSZ, SIG_IGN);
  Status status = chosen->run();
  if (!status.ok() && status.code() != Code::kCancelled)
    fprintf(stderr, "%s\n", status.line(program.c_str()).c_str());
  return status.exitCode();
}

} // namespace
} // namespace qwen

int main(int argc, char **argv) {
  try {
    return qwen::runProgram(argc, argv);
  } catch (const std::bad_alloc &) {
    fprintf(stderr, "error: out of memory\n");
    return 1;
  } catch (const std::exception &error) {
    fprintf(stderr, "internal error: %s\n", error.what());
    return 70;
  }
}
