// main.cpp - qwenc-kernel: everything that needs Halide, as a program of its
// own.
#include "tools/qwenc-kernel/Subcommands.h"

#include <CLI/CLI.hpp>

int main(int argc, char **argv) {
  CLI::App app{
      "qwenc-kernel - builds, checks and measures kernels, and packs weights"};
  app.require_subcommand(1);
  int status = 0;
  qwen::addCatalog(app, status);
  qwen::addBuild(app, status);
  qwen::addShow(app, status);
  qwen::addCheck(app, status);
  qwen::addBench(app, status);
  qwen::addReplay(app, status);
  qwen::addTune(app, status);
  qwen::addPack(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  return status;
}
