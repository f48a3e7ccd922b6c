// PackCommand.cpp - `qwenc-kernel pack`.
#include "tools/qwenc-kernel/Pack.h"
#include "tools/qwenc-kernel/Subcommands.h"

namespace qwen {

void addPack(CLI::App &app, int &status) {
  auto request = std::make_shared<std::string>();
  CLI::App *command =
      app.add_subcommand("pack", "pack a model's weights into one file");
  command
      ->add_option("request", *request,
                   "JSON file that names tensors, formats and offsets")
      ->required();
  command->callback([request, &status] { status = packMain(*request); });
}

} // namespace qwen
