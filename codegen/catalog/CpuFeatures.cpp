// CpuFeatures.cpp - whether this CPU, with its operating system, has a feature
// named as in a target's list, and what it is called.
#include "codegen/catalog/Catalog.h"

#include <fstream>
#include <map>

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
  FEATURE("avxvnni")
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

std::string cpuName() {
  // Of the first CPU: "key<tabs>: value" lines up to the first empty one.
  std::map<std::string, std::string> values;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos)
      continue;
    std::string key = line.substr(0, colon);
    key.erase(key.find_last_not_of(" \t") + 1);
    values[key] = colon + 2 < line.size() ? line.substr(colon + 2) : "";
  }
  // Marketing names of other CPUs are equal inside one virtual machine's host:
  // family and model tell them apart.
  std::string name = values["model name"];
  if (name.empty())
    name = "cpu";
  return name + " " + values["cpu family"] + "." + values["model"];
}

} // namespace qwen
