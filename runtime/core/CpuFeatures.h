// CpuFeatures.h - may the generated code run on this CPU? Asked before any of
// it runs.
#ifndef QWEN_RUNTIME_CORE_CPUFEATURES_H
#define QWEN_RUNTIME_CORE_CPUFEATURES_H

#include "runtime/core/Status.h"

#include <cstdint>

namespace qwen {

struct CpuidRegisters {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// Where the answers come from; tests give their own.
struct CpuProbe {
  CpuidRegisters (*cpuid)(
      uint32_t leaf, uint32_t subleaf); // zeros for a leaf that the CPU lacks
  uint64_t (*xgetbv)(); // XCR0: the register state that the system saves
};

const CpuProbe &hardwareProbe();

/// True if `feature` is known to this runtime and the CPU and the system
/// support it. Names are LLVM's; `-`, `_` and `.` in them do not count.
bool cpuHas(const char *feature, const CpuProbe &probe = hardwareProbe());

/// Ok if the CPU has every one of the comma separated `features`; else
/// kUnsupported, naming the missing ones and what the executable was built for.
/// A feature that this runtime cannot check counts as missing.
Status checkCpuFeatures(const char *features, const char *target,
                        const CpuProbe &probe = hardwareProbe());

} // namespace qwen

#endif
