// Check.cpp - `qwenc-kernel check`: every kernel, case, format and point
// against its f64 reference, and bit for bit against each other.
//
// For a kernel, options and case, all instances (targets with fma; one token
// and many; points) must write the same bytes for the same row, at T of 1, 2, 5
// and 17; one of them is judged by the reference.
#include "codegen/kernels/Trial.h"
#include "tools/qwenc-kernel/SharedObject.h"
#include "tools/qwenc-kernel/Space.h"
#include "tools/qwenc-kernel/Subcommands.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include <unistd.h>

namespace qwen {
namespace {

using codegen::Case;
using codegen::Kernel;
using codegen::Trial;

constexpr double kMostHeadroom = 50;
constexpr int64_t kMostTokens = 17;
constexpr uint64_t kSeed = 20240607;

struct Flags {
  std::vector<std::string> kernels, targets, formats;
  bool quick = false, all = false, ownPoints = false;
  int64_t jobs = 0;
};

/// Instances that must agree: the same numbers by definition.
struct Group {
  std::vector<std::string> options;
  const Case *shape;
  bool largest; // the case whose bound is held to the headroom rule
  bool fma;
  std::vector<KernelSymbol> symbols;
};

char runningSymbol[512];

void onCrash(int signal) {
  constexpr char kText[] = "\nqwenc-kernel: error: crashed in ";
  [[maybe_unused]] ssize_t written =
      write(STDERR_FILENO, kText, sizeof(kText) - 1);
  written = write(STDERR_FILENO, runningSymbol, std::strlen(runningSymbol));
  written = write(STDERR_FILENO, "\n", 1);
  _exit(1);
}

void callKernel(const SharedObject &library, const KernelSymbol &symbol,
                Trial &trial) {
  std::strncpy(runningSymbol, symbol.str().c_str(), sizeof(runningSymbol) - 1);
  trial.call(library.find(symbol));
}

class Checker {
public:
  Checker(const KernelCatalog &catalog, const Flags &flags)
      : catalog(catalog), flags(flags) {}

  bool check(const Kernel &kernel) {
    bool good = true;
    std::vector<Group> groups = makeGroups(kernel, good);
    std::vector<KernelSymbol> symbols;
    for (const Group &group : groups)
      symbols.insert(symbols.end(), group.symbols.begin(), group.symbols.end());
    if (symbols.empty())
      return good && isLeftOut(kernel);
    const SharedObject library(symbols, flags.jobs);
    for (const std::string &failure : library.failures()) {
      std::cerr << "qwenc-kernel: error: " << failure << "\n";
      good = false;
    }
    double least = 1e300, most = 0;
    bool damageSeen = false;
    for (const Group &group : groups) {
      double headroom = 0;
      good &= checkGroup(library, group, headroom);
      if (headroom > 0) {
        least = std::min(least, headroom);
        if (group.largest)
          most = std::max(most, headroom);
      }
      if (!damageSeen && library.find(group.symbols.front()))
        good &= damageSeen = damageFails(library, group);
    }
    if (most > kMostHeadroom) {
      std::cerr << "qwenc-kernel: error: the bound of `"
                << kernel.interface.name << "` is " << most
                << " times the largest error; at most " << kMostHeadroom
                << " times is a test\n";
      good = false;
    }
    std::cout << std::left << std::setw(20) << kernel.interface.name
              << std::right << std::setw(6) << symbols.size() << " instances "
              << std::setw(5) << groups.size() << " groups";
    if (most > 0)
      std::cout << "  headroom " << std::fixed << std::setprecision(1) << least
                << " (largest reduction " << most << ")";
    else
      std::cout << "  exact";
    std::cout << (good ? "" : "  FAILED") << std::endl;
    return good;
  }

private:
  const KernelCatalog &catalog;
  const Flags &flags;

  /// The default point, and that for few tokens; the smallest and the largest
  /// tiles too where it matters; all legal points with --all.
  std::vector<KernelSymbol> points(const CatalogKernel &kernel,
                                   KernelSymbol symbol, bool firstCase) const {
    std::vector<KernelSymbol> legal = legalPoints(catalog, kernel, symbol);
    if (flags.all || legal.size() <= 1)
      return legal;
    std::string error;
    std::vector<KernelSymbol> few{
        *catalog.chooseSymbol(symbol.kernel, symbol.options, symbol.dims,
                              symbol.target, nullptr, error)};
    if (std::optional<KernelSymbol> ofFew = catalog.fewTokens(few.front()))
      few.push_back(*ofFew);
    if (!flags.quick || (symbol.target == flags.targets.front() && firstCase)) {
      few.push_back(legal.front());
      few.push_back(legal.back());
    }
    return few;
  }

  /// Whether the kernel may go unchecked: the formats of a run over all kernels
  /// are none of its own.
  bool isLeftOut(const Kernel &kernel) const {
    if (flags.kernels.empty() && !flags.formats.empty())
      return true;
    const std::vector<CatalogOption> &options = kernel.interface.options;
    std::cerr << "qwenc-kernel: error: kernel `" << kernel.interface.name
              << "` has no instance to check"
              << (flags.quick ? " in a quick run" : "");
    if (!flags.formats.empty() && !options.empty() &&
        options.front().name == "format") {
      std::cerr << "; its formats are ";
      const std::vector<std::string> &values = options.front().values;
      for (size_t i = 0; i < values.size(); ++i)
        std::cerr << (i ? ", " : "") << values[i];
    }
    std::cerr << "\n";
    return false;
  }

  static std::vector<std::string> flagsOf(const CatalogKernel &kernel) {
    std::vector<std::string> names;
    for (const CatalogOption &option : kernel.options)
      if (option.flag)
        names.push_back(option.name);
    return names;
  }

  /// A quick run has each format in `linear` and `embedding`; the other kernels
  /// of the same core have the first float format and the first integer one.
  /// Flags are all or none.
  static bool isQuick(const Kernel &kernel,
                      const std::vector<std::string> &options,
                      int64_t flagCount, size_t flagsInAll) {
    if (flagCount != 0 && flagCount != int64_t(flagsInAll))
      return false;
    const codegen::Format *format =
        options.empty() ? nullptr : codegen::findFormat(options.front());
    if (!format || kernel.interface.options.front().name != "format")
      return true;
    if (kernel.interface.options.front().values.size() == 1)
      return true;
    if (kernel.interface.name == "linear" ||
        kernel.interface.name == "embedding")
      return flagCount == 0 || options.front() == options.at(1);
    for (const codegen::Format &row : codegen::formats())
      if ((row.scaleGroup > 0) == (format->scaleGroup > 0))
        return &row == format;
    return false;
  }

  /// `good` becomes false when an instance has no legal point: nothing would
  /// check it.
  std::vector<Group> makeGroups(const Kernel &kernel, bool &good) const {
    std::vector<Group> groups;
    const std::vector<std::string> flagNames = flagsOf(kernel.interface);
    for (const std::vector<std::string> &options :
         optionCombinations(catalog, kernel.interface)) {
      const auto flagCount = std::count_if(
          options.begin(), options.end(), [&](const std::string &option) {
            return std::count(flagNames.begin(), flagNames.end(), option) > 0;
          });
      if (flags.quick && !isQuick(kernel, options, flagCount, flagNames.size()))
        continue;
      if (!flags.formats.empty() &&
          catalog.format(options.empty() ? "" : options.front()) &&
          !std::count(flags.formats.begin(), flags.formats.end(),
                      options.front()))
        continue;
      for (const Case &shape : kernel.cases) {
        const bool first = &shape == &kernel.cases.front();
        std::map<bool, Group> byFma;
        for (const std::string &target : flags.targets) {
          // In a quick run the other targets do the first case only.
          if (flags.quick && !first && target != flags.targets.front())
            continue;
          const bool fma = codegen::findTarget(target)->fma;
          Group &group =
              byFma.try_emplace(fma, Group{options, &shape, first, fma, {}})
                  .first->second;
          for (int64_t tokens : {1, 0}) {
            KernelSymbol symbol{
                kernel.interface.name, options, shape.dims, target, {}};
            symbol.dims.emplace_back("t", tokens);
            if (const auto reason =
                    whyNoPoint(catalog, kernel.interface, symbol)) {
              std::cerr << "qwenc-kernel: error: " << symbol.str() << " (case "
                        << shape.name << ") has no legal point: " << *reason
                        << "\n";
              good = false;
              continue;
            }
            const std::vector<KernelSymbol> instances =
                points(kernel.interface, symbol, first);
            group.symbols.insert(group.symbols.end(), instances.begin(),
                                 instances.end());
          }
        }
        for (auto &[fma, group] : byFma)
          if (!group.symbols.empty())
            groups.push_back(group);
      }
    }
    return groups;
  }

  int64_t mostTokens(const Group &group) const {
    const int64_t positions = group.symbols.front().dim("s");
    // A span may end before the position.
    return positions <= group.shape->position
               ? kMostTokens
               : std::min(kMostTokens, positions - group.shape->position);
  }

  bool checkGroup(const SharedObject &library, const Group &group,
                  double &headroom) const {
    const int64_t first = group.shape->position, rows = mostTokens(group);
    std::map<int64_t, std::vector<uint8_t>> wanted; // by row
    std::string wantedFrom;
    bool good = true;
    const auto fail = [&](const KernelSymbol &symbol, const std::string &text) {
      if (good)
        std::cerr << "qwenc-kernel: error: " << symbol.str() << " (case "
                  << group.shape->name << "): " << text << "\n";
      good = false;
    };
    // The reference is computed once, for all rows, and serves every T and
    // every instance.
    std::unique_ptr<Trial> judge;
    for (int64_t tokens : {rows, int64_t(1), int64_t(2), int64_t(5)})
      for (int64_t start : {int64_t(0), rows - tokens}) {
        if (start < 0 || tokens > rows || (start > 0 && tokens == rows))
          continue;
        for (const KernelSymbol &symbol : group.symbols) {
          if (!library.find(symbol)) {
            good = false;
            continue;
          }
          if (symbol.dim("t") == 1 && tokens != 1)
            continue;
          auto owned =
              std::make_unique<Trial>(symbol, tokens, first + start, kSeed);
          Trial &trial = *owned;
          callKernel(library, symbol, trial);
          if (judge)
            trial.adoptReference(*judge);
          else
            trial.computeReference();
          const Trial::Verdict verdict = trial.judge();
          if (!verdict.within)
            fail(symbol, "T " + std::to_string(tokens) + ": " + verdict.text);
          if (!judge && verdict.worst > 0 && tokens == rows)
            headroom = 1 / verdict.worst;
          for (int64_t t = 0; t < tokens; ++t) {
            const auto [row, added] =
                wanted.try_emplace(start + t, trial.outputRow(t));
            if (added)
              wantedFrom = symbol.str();
            else if (row->second != trial.outputRow(t))
              fail(symbol, "row " + std::to_string(start + t) + " at T " +
                               std::to_string(tokens) +
                               " differs in its bits from " + wantedFrom);
          }
          if (!judge)
            judge = std::move(owned);
        }
      }
    return good;
  }

  bool damageFails(const SharedObject &library, const Group &group) const {
    const KernelSymbol &symbol = group.symbols.front();
    Trial trial(symbol, 1, group.shape->position, kSeed);
    callKernel(library, symbol, trial);
    trial.computeReference();
    trial.damageReference();
    if (!trial.judge().within)
      return true;
    std::cerr << "qwenc-kernel: error: " << symbol.str()
              << ": a damaged reference passes\n";
    return false;
  }
};

int runCheck(Flags flags) {
  const std::optional<KernelCatalog> catalog = loadCatalog("");
  if (!catalog)
    return 1;
  if (flags.jobs <= 0)
    flags.jobs = std::max(1u, std::thread::hardware_concurrency());
  if (flags.targets.empty())
    for (const CatalogTarget &target : catalog->targets)
      if (!(flags.ownPoints && !target.pointsOf.empty()) &&
          std::all_of(target.features.begin(), target.features.end(),
                      cpuHasFeature))
        flags.targets.push_back(target.name);
  for (const std::string &name : flags.targets) {
    const CatalogTarget *target = catalog->target(name);
    if (!target || !std::all_of(target->features.begin(),
                                target->features.end(), cpuHasFeature)) {
      std::cerr << "qwenc-kernel: error: "
                << (target ? "this cpu cannot run target `" : "no target `")
                << name << "`\n";
      return 1;
    }
  }
  for (const std::string &name : flags.kernels)
    if (!codegen::findKernel(name)) {
      std::cerr << "qwenc-kernel: error: no kernel `" << name << "`\n";
      return 1;
    }
  for (const std::string &name : flags.formats)
    if (!catalog->format(name)) {
      std::cerr << "qwenc-kernel: error: no format `" << name << "`; formats:";
      for (const CatalogFormat &format : catalog->formats)
        std::cerr << " " << format.name;
      std::cerr << "\n";
      return 1;
    }
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE})
    std::signal(signal, onCrash);
  bool good = true;
  Checker checker(*catalog, flags);
  try {
    for (const Kernel &kernel : codegen::kernels())
      if (flags.kernels.empty() ||
          std::count(flags.kernels.begin(), flags.kernels.end(),
                     kernel.interface.name))
        good &= checker.check(kernel);
  } catch (const codegen::KernelError &error) {
    std::cerr << "qwenc-kernel: error: " << error.text << "\n";
    return 1;
  }
  return good ? 0 : 1;
}

} // namespace

void addCheck(CLI::App &app, int &status) {
  auto flags = std::make_shared<Flags>();
  CLI::App *command = app.add_subcommand(
      "check", "compare kernels with their references and with each other");
  command->add_option("--kernel", flags->kernels,
                      "kernels to check; all if left out");
  command->add_option("--target", flags->targets,
                      "targets to check; all that this cpu runs if left out");
  command->add_option("--format", flags->formats,
                      "weight formats to check; all if left out");
  command->add_option("-j,--jobs", flags->jobs, "kernels compiled at a time");
  CLI::Option *quick = command->add_flag(
      "--quick", flags->quick, "first case only on all but the best target");
  command->add_flag("--own-points", flags->ownPoints,
                    "without --target: only those that take no other's points");
  command->add_flag("--all", flags->all, "every legal schedule point")
      ->excludes(quick);
  command->callback([flags, &status] { status = runCheck(*flags); });
}

} // namespace qwen
