// Target.h - a CPU the kernels are compiled for.
#pragma once

#include "Halide.h"
#include "codegen/catalog/Catalog.h"

#include <string>
#include <string_view>
#include <vector>

namespace qwen::codegen {

struct CpuTarget {
  CatalogTarget data;
  std::string halide; // Halide target string
  bool fma;           // acc + a * b is one instruction, rounded once

  Halide::Target halideTarget() const;
};

/// All targets, best first (generated list, ordered by lanes and features).
const std::vector<CpuTarget> &targets();
const CpuTarget *findTarget(std::string_view name);

} // namespace qwen::codegen
