// Space.h - which instances of a kernel there are to check: options, cases and
// points.
#pragma once

#include "codegen/kernels/Kernel.h"

#include <optional>
#include <string>
#include <vector>

namespace qwen {

/// Every legal combination of option values of a kernel: all formats,
/// activations and cache types, with no flag, each flag alone and all flags.
std::vector<std::vector<std::string>>
optionCombinations(const KernelCatalog &catalog, const CatalogKernel &kernel);

/// All legal points of a symbol whose `point` is empty.
std::vector<KernelSymbol> legalPoints(const KernelCatalog &catalog,
                                      const CatalogKernel &kernel,
                                      KernelSymbol symbol);

/// Why a symbol whose `point` is empty has no legal point: what its default
/// would break. Nothing when it has one.
std::optional<std::string> whyNoPoint(const KernelCatalog &catalog,
                                      const CatalogKernel &kernel,
                                      const KernelSymbol &symbol);

} // namespace qwen
