// Main.cpp - the driver: one row a subcommand.
#include "tools/qwenc/Command.h"

#include <cctype>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char **argv) {
  static constexpr qwen::AddCommand kCommands[] = {
      qwen::addCompileCommand, qwen::addInterpretCommand,
      qwen::addVerifyCommand, qwen::addTuneCommand, qwen::addQualityCommand};

  // A file that grows too large is a failed write, here and in the programs
  // that this one starts.
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app{"compiles Qwen models into native executables"};
  app.require_subcommand(1);
  std::vector<std::pair<CLI::App *, std::function<int()>>> commands;
  for (qwen::AddCommand add : kCommands) {
    std::function<int()> run = add(app);
    commands.emplace_back(app.get_subcommands({}).back(), std::move(run));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &help) {
    return app.exit(help);
  } catch (const CLI::ParseError &error) {
    std::string text = error.what();
    if (!text.empty())
      text[0] = char(std::tolower(static_cast<unsigned char>(text[0])));
    std::cerr << "qwenc: error: " << text << "; see qwenc --help\n";
    return qwen::kExitUser;
  }
  for (auto &[command, run] : commands)
    if (command->parsed())
      return run();
  return qwen::kExitUser;
}
