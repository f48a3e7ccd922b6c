// VerifyCommand.cpp - the options of `qwenc verify`.
#include "tools/qwenc/Command.h"
#include "tools/qwenc/verify/Verify.h"

#include <memory>

namespace qwen {

std::function<int()> addVerifyCommand(CLI::App &app) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App *command = app.add_subcommand(
      "verify", "compare an executable, operator by operator, with the model "
                "it was made of");
  command
      ->add_option("subject", options->subject,
                   "an executable, or a model to compile and compare")
      ->required();
  command->add_option("--reference", options->reference,
                      "a captured .safetensors of taps, or another model whose "
                      "own graph is the reference");
  command->add_option("--ids", options->idsPath,
                      "file of token ids, separated by blanks or commas");
  command->add_option("--text", options->text, "a prompt in words");
  command->add_option("--report", options->report, "write a page, .html");
  command->add_flag("--bisect", options->bisect,
                    "interpret the program after every pass, even if its "
                    "meaning is the same at the end");
  command->add_flag("--deterministic", options->deterministic,
                    "all thread counts, several chunks, ten times each");
  declareBuild(options->build, *command);
  return [options] { return verifyModel(*options); };
}

} // namespace qwen
