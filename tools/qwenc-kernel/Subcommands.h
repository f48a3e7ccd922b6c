// Subcommands.h - one function a subcommand of qwenc-kernel: declares it, and
// runs it when chosen.
#pragma once

#include "codegen/catalog/Catalog.h"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace qwen {

void addCatalog(CLI::App &app, int &status);
void addBuild(CLI::App &app, int &status);
void addShow(CLI::App &app, int &status);
void addCheck(CLI::App &app, int &status);
void addBench(CLI::App &app, int &status);
void addReplay(CLI::App &app, int &status);
void addTune(CLI::App &app, int &status);
void addPack(CLI::App &app, int &status);

/// Parses symbols, and prints an error for each that is none; false when there
/// was one.
bool parseSymbols(const std::vector<std::string> &texts,
                  std::vector<KernelSymbol> &symbols);

/// The registries' catalog with the schedules of a folder; prints an error and
/// gives nothing when a file is wrong.
std::optional<KernelCatalog> loadCatalog(const std::string &scheduleFolder);

} // namespace qwen
