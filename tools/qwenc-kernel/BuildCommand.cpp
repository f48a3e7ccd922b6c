// BuildCommand.cpp - `qwenc-kernel build` and `show`.
#include "codegen/kernels/Kernel.h"
#include "tools/qwenc-kernel/Build.h"
#include "tools/qwenc-kernel/Subcommands.h"

#include <fstream>
#include <iostream>
#include <set>

#include <unistd.h>

namespace qwen {

bool parseSymbols(const std::vector<std::string> &texts,
                  std::vector<KernelSymbol> &symbols) {
  bool good = true;
  for (const std::string &text : texts) {
    std::optional<KernelSymbol> symbol = KernelSymbol::parse(text);
    if (!symbol) {
      std::cerr << "qwenc-kernel: error: `" << text
                << "` is no kernel symbol; the grammar is "
                   "qk_<kernel>__<options>__<dims>__<target>_p<point>\n";
      good = false;
      continue;
    }
    symbols.push_back(*symbol);
  }
  return good;
}

void addBuild(CLI::App &app, int &status) {
  struct Flags {
    std::string directory;
    int64_t jobs = 1;
    bool quiet = false, assembly = false;
    std::vector<std::string> symbols;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App *command =
      app.add_subcommand("build", "compile kernels into DIR/SYMBOL.o");
  command->add_option("--out-dir", flags->directory, "folder for the objects")
      ->required();
  command->add_option("-j,--jobs", flags->jobs, "kernels compiled at a time")
      ->check(CLI::Range(1, 1024));
  command->add_flag("-q,--quiet", flags->quiet, "no progress lines");
  command->add_flag("--asm", flags->assembly, "write DIR/SYMBOL.s too");
  command->add_option("symbols", flags->symbols, "kernel symbols")->required();
  command->callback([flags, &status] {
    std::vector<KernelSymbol> symbols;
    if (!parseSymbols(flags->symbols, symbols)) {
      status = 1;
      return;
    }
    std::error_code problem;
    std::filesystem::create_directories(flags->directory, problem);
    if (problem) {
      std::cerr << flags->directory << ": error: " << problem.message() << "\n";
      status = 1;
      return;
    }
    const size_t total =
        std::set<std::string>(flags->symbols.begin(), flags->symbols.end())
            .size();
    BuildOptions options;
    options.directory = flags->directory;
    options.jobs = flags->jobs;
    options.assembly = flags->assembly;
    if (!flags->quiet)
      options.progress = [total](const std::string &symbol, int64_t done) {
        std::cout << "[" << done << "/" << total << "] " << symbol << std::endl;
      };
    for (const std::string &failure : buildObjects(symbols, options)) {
      std::cerr << "qwenc-kernel: error: " << failure << "\n";
      status = 1;
    }
  });
}

void addShow(CLI::App &app, int &status) {
  struct Flags {
    std::string symbol;
    bool stmt = false, assembly = false, llvm = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App *command =
      app.add_subcommand("show", "print what a kernel compiles to");
  command->add_option("symbol", flags->symbol, "kernel symbol")->required();
  command->add_flag("--stmt", flags->stmt, "Halide's loops");
  command->add_flag("--asm", flags->assembly, "assembly (the default)");
  command->add_flag("--llvm", flags->llvm, "LLVM IR");
  command->callback([flags, &status] {
    std::vector<KernelSymbol> symbols;
    if (!parseSymbols({flags->symbol}, symbols)) {
      status = 1;
      return;
    }
    using Halide::OutputFileType;
    const OutputFileType type = flags->stmt   ? OutputFileType::stmt
                                : flags->llvm ? OutputFileType::llvm_assembly
                                              : OutputFileType::assembly;
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() /
        ("qwenc-kernel-show-" + std::to_string(getpid()));
    try {
      codegen::buildModule(symbols.front()).compile({{type, file.string()}});
      std::cout << std::ifstream(file).rdbuf();
    } catch (const codegen::KernelError &error) {
      std::cerr << "qwenc-kernel: error: " << error.text << "\n";
      status = 1;
    } catch (const Halide::Error &error) {
      std::cerr << "qwenc-kernel: error: " << error.what() << "\n";
      status = 1;
    }
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  });
}

} // namespace qwen
