// Catalog.cpp - `qwenc-kernel catalog`: prints what exists, for passes to read.
#include "codegen/catalog/CatalogJson.h"
#include "codegen/kernels/Kernel.h"
#include "tools/qwenc-kernel/PlaceFile.h"
#include "tools/qwenc-kernel/Subcommands.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace qwen {
namespace {

std::string readFile(const std::filesystem::path &path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Hash of this very program: any change of kernels, formats or targets changes
/// it.
std::string programVersion() {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (unsigned char byte : readFile("/proc/self/exe"))
    hash = (hash ^ byte) * 0x100000001b3ull;
  char text[32];
  std::snprintf(text, sizeof(text), "halide%d.%d.%d-%016llx",
                HALIDE_VERSION_MAJOR, HALIDE_VERSION_MINOR,
                HALIDE_VERSION_PATCH, (unsigned long long)hash);
  return text;
}

/// As initialisers of a char array.
std::string asBytes(const std::string &text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i)
    bytes += std::to_string(int(static_cast<signed char>(text[i]))) +
             (i % 32 == 31 ? ",\n" : ",");
  return bytes;
}

int writeOutput(const std::string &path, const std::string &text) {
  if (path.empty() || path == "-") {
    std::cout << text << "\n";
    return 0;
  }
  if (std::string reason = writeFile(path, text + "\n"); !reason.empty()) {
    std::cerr << path << ": error: cannot be written: " << reason << "\n";
    return 1;
  }
  return 0;
}

} // namespace

std::optional<KernelCatalog> loadCatalog(const std::string &scheduleFolder) {
  KernelCatalog catalog = codegen::makeCatalog();
  catalog.version = programVersion();
  if (scheduleFolder.empty())
    return catalog;
  std::vector<std::filesystem::path> files;
  std::error_code problem;
  for (const auto &entry :
       std::filesystem::directory_iterator(scheduleFolder, problem))
    if (entry.path().extension() == ".json")
      files.push_back(entry.path());
  if (problem) {
    std::cerr << scheduleFolder << ": error: " << problem.message() << "\n";
    return std::nullopt;
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path &file : files) {
    std::string error;
    std::optional<ScheduleFile> parsed =
        ScheduleFile::parse(readFile(file), catalog, error);
    if (!parsed) {
      std::cerr << file.string() << ": error: " << error << "\n";
      return std::nullopt;
    }
    catalog.schedules.entries.insert(catalog.schedules.entries.end(),
                                     parsed->entries.begin(),
                                     parsed->entries.end());
  }
  return catalog;
}

void addCatalog(CLI::App &app, int &status) {
  struct Flags {
    std::string output, schedules;
    bool bytes = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App *command = app.add_subcommand(
      "catalog", "print formats, kernels, targets and schedules as JSON");
  command->add_option("-o,--output", flags->output,
                      "file to write; standard output if left out");
  command->add_option("--schedules", flags->schedules,
                      "folder of schedule files");
  command->add_flag("--bytes", flags->bytes,
                    "print the text as initialisers of a char array");
  command->callback([flags, &status] {
    const std::optional<KernelCatalog> catalog = loadCatalog(flags->schedules);
    if (!catalog) {
      status = 1;
      return;
    }
    const std::string text = printCatalog(*catalog);
    status = writeOutput(flags->output, flags->bytes ? asBytes(text) : text);
  });
}

} // namespace qwen
