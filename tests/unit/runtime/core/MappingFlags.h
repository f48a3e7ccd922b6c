// MappingFlags.h - what the system says of this process's mappings.
#ifndef QWEN_TESTS_UNIT_RUNTIME_CORE_MAPPINGFLAGS_H
#define QWEN_TESTS_UNIT_RUNTIME_CORE_MAPPINGFLAGS_H

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace qwen {

inline bool systemHasHugePages() {
  return std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled").good();
}

/// Whether huge pages are asked for (`hg` of VmFlags in /proc/self/smaps) where
/// `address` lies.
inline bool prefersHugePages(const uint8_t *address) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uint64_t start = 0, end = 0;
    if (sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
      inside = reinterpret_cast<uint64_t>(address) >= start &&
               reinterpret_cast<uint64_t>(address) < end;
    else if (inside && line.starts_with("VmFlags:"))
      return (line + " ").find(" hg ") != std::string::npos;
  }
  return false;
}

} // namespace qwen

#endif
