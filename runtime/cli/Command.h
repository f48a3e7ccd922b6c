// Command.h - what a subcommand is: a name, rows of options, and what it does.
#ifndef QWEN_RUNTIME_CLI_COMMAND_H
#define QWEN_RUNTIME_CLI_COMMAND_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace qwen {

/// One option: how it is spelled ("-n,--count", or "name" for a positional
/// one), where its value goes, its help text.
struct OptionRow {
  using Target =
      std::variant<bool *, std::string *, std::optional<std::string> *,
                   std::optional<int64_t> *, std::optional<uint64_t> *,
                   std::optional<double> *, std::vector<int64_t> *,
                   std::vector<std::string> *>;
  const char *names;
  Target target;
  const char *help;
};

class Command {
public:
  virtual ~Command() = default;
  virtual const char *name() const = 0;
  virtual const char *help() const = 0;
  virtual std::vector<OptionRow> options() = 0;
  /// Called once, after the options have their values.
  virtual Status run() = 0;
};

namespace commands {
std::unique_ptr<Command> bench();
std::unique_ptr<Command> chat();
std::unique_ptr<Command> detokenize();
std::unique_ptr<Command> info();
std::unique_ptr<Command> logits();
std::unique_ptr<Command> perplexity();
std::unique_ptr<Command> run();
std::unique_ptr<Command> taps();
std::unique_ptr<Command> tokenize();
} // namespace commands

} // namespace qwen

#endif
