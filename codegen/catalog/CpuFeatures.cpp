// CpuFeatures.cpp - whether this CPU, with its operating system, has a feature
// named as in a target's list.
#include "codegen/catalog/Catalog.h"

namespace qwen {

bool cpuHasFeature(std::string_view feature) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#define FEATURE(name)                                                          \
  if (feature == name)                                                         \
    return __builtin_cpu_supports(name);
  FEATURE("sse4.1")
  FEATURE("avx")
  FEATURE("avx2")
  FEATURE("fma")
  FEATURE("f16c")
  FEATURE("bmi")
  FEATURE("bmi2")
  FEATURE("lzcnt")
  FEATURE("popcnt")
  FEATURE("gfni")
  FEATURE("avx512f")
  FEATURE("avx512bw")
  FEATURE("avx512dq")
  FEATURE("avx512vl")
  FEATURE("avx512cd")
  FEATURE("avx512ifma")
  FEATURE("avx512vbmi")
  FEATURE("avx512vbmi2")
  FEATURE("avx512vnni")
  FEATURE("avx512bitalg")
  FEATURE("avx512bf16")
  FEATURE("avx512vpopcntdq")
#undef FEATURE
#endif
  return false;
}

} // namespace qwen
