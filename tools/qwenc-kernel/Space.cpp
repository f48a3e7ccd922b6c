// Space.cpp - enumerates a kernel's options and schedule points.
#include "tools/qwenc-kernel/Space.h"

#include <algorithm>

namespace qwen {

std::vector<std::vector<std::string>>
optionCombinations(const KernelCatalog &catalog, const CatalogKernel &kernel) {
  std::vector<std::vector<std::string>> rows{{}};
  std::vector<std::string> flags;
  for (const CatalogOption &option : kernel.options) {
    if (option.flag) {
      flags.push_back(option.name);
      continue;
    }
    std::vector<std::vector<std::string>> next;
    for (const std::vector<std::string> &row : rows)
      for (const std::string &value : option.values) {
        if (option.name == "act" &&
            !catalog.format(row.front())->takesActivation(value))
          continue;
        next.push_back(row);
        next.back().push_back(value);
      }
    rows = next;
  }
  std::vector<std::vector<std::string>> choices{{}};
  for (const std::string &flag : flags)
    choices.push_back({flag});
  if (flags.size() > 1)
    choices.push_back(flags);
  std::vector<std::vector<std::string>> all;
  for (const std::vector<std::string> &row : rows)
    for (const std::vector<std::string> &choice : choices) {
      all.push_back(row);
      all.back().insert(all.back().end(), choice.begin(), choice.end());
    }
  return all;
}

std::vector<KernelSymbol> legalPoints(const KernelCatalog &catalog,
                                      const CatalogKernel &kernel,
                                      KernelSymbol symbol) {
  std::vector<std::vector<int64_t>> points{{}};
  for (const CatalogKnob &knob : kernel.knobs) {
    std::vector<std::vector<int64_t>> next;
    for (const std::vector<int64_t> &point : points)
      for (int64_t value : knob.values) {
        next.push_back(point);
        next.back().push_back(value);
      }
    points = next;
  }
  std::vector<KernelSymbol> legal;
  for (const std::vector<int64_t> &point : points) {
    symbol.point = point;
    if (!catalog.check(symbol))
      legal.push_back(symbol);
  }
  return legal;
}

std::optional<std::string> whyNoPoint(const KernelCatalog &catalog,
                                      const CatalogKernel &kernel,
                                      const KernelSymbol &symbol) {
  if (!legalPoints(catalog, kernel, symbol).empty())
    return std::nullopt;
  std::string error;
  static_cast<void>(catalog.chooseSymbol(symbol.kernel, symbol.options,
                                         symbol.dims, symbol.target, nullptr,
                                         error));
  return error;
}

} // namespace qwen
