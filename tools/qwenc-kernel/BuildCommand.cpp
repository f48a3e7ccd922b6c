// BuildCommand.cpp - `qwenc-kernel build` and `show`.
#include "codegen/kernels/Kernel.h"
#include "tools/qwenc-kernel/Build.h"
#include "tools/qwenc-kernel/Space.h"
#include "tools/qwenc-kernel/Subcommands.h"

#include <charconv>
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

namespace {

/// What a user names: a symbol, whose point may be left out for the default, or
/// a kernel, for its first case with one token on this machine. Nothing after a
/// message.
std::optional<KernelSymbol> namedKernel(const KernelCatalog &catalog,
                                        const std::string &text) {
  std::optional<KernelSymbol> symbol = KernelSymbol::parse(text);
  if (!symbol)
    symbol = KernelSymbol::parse(text + "_p");
  if (const codegen::Kernel *kernel = codegen::findKernel(text)) {
    const CatalogTarget *host = catalog.host();
    symbol =
        KernelSymbol{text,
                     optionCombinations(catalog, kernel->interface).front(),
                     kernel->cases.front().dims,
                     host ? host->name : catalog.targets.back().name,
                     {}};
    symbol->dims.emplace_back("t", 1);
  }
  std::string names;
  for (const codegen::Kernel &kernel : codegen::kernels())
    names += (names.empty() ? "" : ", ") + kernel.interface.name;
  if (!symbol) {
    std::cerr << "qwenc-kernel: error: `" << text
              << "` is neither a kernel symbol nor a kernel; kernels: " << names
              << "\n";
    return std::nullopt;
  }
  const CatalogKernel *kernel = catalog.kernel(symbol->kernel);
  if (!kernel || kernel->knobs.empty() || !symbol->point.empty())
    return symbol;
  std::string error;
  const auto chosen =
      catalog.chooseSymbol(symbol->kernel, symbol->options, symbol->dims,
                           symbol->target, nullptr, error);
  if (!chosen)
    std::cerr << "qwenc-kernel: error: " << error << "\n";
  return chosen;
}

/// Sets knobs by "panels=2"; what is wrong, if anything is.
std::optional<std::string> setKnobs(const KernelCatalog &catalog,
                                    const std::vector<std::string> &settings,
                                    KernelSymbol &symbol) {
  const CatalogKernel *kernel = catalog.kernel(symbol.kernel);
  for (const std::string &setting : settings) {
    const size_t equals = setting.find('=');
    const std::string name = setting.substr(0, equals);
    std::string names;
    size_t at = 0;
    for (size_t i = kernel ? kernel->knobs.size() : 0; i-- > 0;) {
      names = kernel->knobs[i].name + (names.empty() ? "" : ", ") + names;
      if (kernel->knobs[i].name == name)
        at = i + 1;
    }
    if (at == 0 || at > symbol.point.size())
      return "kernel `" + symbol.kernel + "` has no knob `" + name +
             "`; knobs: " + (names.empty() ? "none" : names);
    int64_t value = 0;
    const char *end = setting.data() + setting.size();
    const auto [rest, code] =
        equals == std::string::npos
            ? std::from_chars(end, end, value)
            : std::from_chars(setting.data() + equals + 1, end, value);
    if (code != std::errc() || rest != end)
      return "`--point` is `" + setting + "`; it is KNOB=NUMBER";
    symbol.point[at - 1] = value;
  }
  return catalog.check(symbol);
}

} // namespace

void addShow(CLI::App &app, int &status) {
  struct Flags {
    std::string symbol;
    std::vector<std::string> point;
    bool stmt = false, assembly = false, llvm = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App *command =
      app.add_subcommand("show", "print what a kernel compiles to");
  command
      ->add_option("kernel", flags->symbol,
                   "kernel symbol, its point left out for the default; or a "
                   "kernel's name, for its first case")
      ->required();
  command->add_option("--point", flags->point, "knobs: panels=2,unroll=4")
      ->delimiter(',');
  command->add_flag("--stmt", flags->stmt, "Halide's loops");
  command->add_flag("--asm", flags->assembly, "assembly (the default)");
  command->add_flag("--llvm", flags->llvm, "LLVM IR");
  command->callback([flags, &status] {
    const KernelCatalog catalog = codegen::makeCatalog();
    std::optional<KernelSymbol> symbol = namedKernel(catalog, flags->symbol);
    const std::optional<std::string> problem =
        symbol ? setKnobs(catalog, flags->point, *symbol) : std::nullopt;
    if (problem)
      std::cerr << "qwenc-kernel: error: " << *problem << "\n";
    if (!symbol || problem) {
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
      codegen::writeKernel(*symbol, {{type, file.string()}});
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
