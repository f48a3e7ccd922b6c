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
  // Where `halide` stands for more than `data.features`: the CPU whose costs
  // count when LLVM makes code of these features alone (tools/qwenc-native).
  std::string tune = {};

  Halide::Target halideTarget() const;
};

/// The Halide target whose kernels have dots of four products: Zen 4.
inline constexpr const char *kHalideDots =
    "x86-64-linux-avx-avx2-f16c-fma-sse41-avx512-avx512_skylake-avx512_"
    "cannonlake-avx512_zen4";

/// All targets, best first (generated list, ordered by lanes and features).
const std::vector<CpuTarget> &targets();
const CpuTarget *findTarget(std::string_view name);

} // namespace qwen::codegen
