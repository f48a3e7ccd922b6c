// Targets.cpp - the table of all targets, one for each file of this folder that
// starts in lower case.
#include "codegen/targets/Target.h"

#include <algorithm>

namespace qwen::codegen {

namespace target {
#define TARGET(name) CpuTarget name();
#include "Targets.inc"
#undef TARGET
} // namespace target

Halide::Target CpuTarget::halideTarget() const {
  using Halide::Target;
  return Target(halide)
      .with_feature(Target::NoRuntime)
      .with_feature(Target::NoAsserts)
      .with_feature(Target::NoBoundsQuery)
      .with_feature(Target::StrictFloat);
}

const std::vector<CpuTarget> &targets() {
  static const std::vector<CpuTarget> table = [] {
    std::vector<CpuTarget> all = {
#define TARGET(name) target::name(),
#include "Targets.inc"
#undef TARGET
    };
    std::sort(all.begin(), all.end(),
              [](const CpuTarget &a, const CpuTarget &b) {
                return a.data.lanes * 100 + int64_t(a.data.features.size()) >
                       b.data.lanes * 100 + int64_t(b.data.features.size());
              });
    return all;
  }();
  return table;
}

const CpuTarget *findTarget(std::string_view name) {
  for (const CpuTarget &target : targets())
    if (name == target.data.name)
      return &target;
  return nullptr;
}

} // namespace qwen::codegen
