// CpuFeatures.cpp - feature names to cpuid bits.
//
// Source  Intel SDM volume 2, CPUID; volume 1, 13.3 (XCR0); names as in LLVM's
// X86TargetParser.def
#include "runtime/core/CpuFeatures.h"

#include <cstring>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace qwen {
namespace {

enum class Register : uint8_t { kEax, kEbx, kEcx, kEdx };

// State components that the system must save before an instruction may run: SSE
// and AVX, then the three of AVX-512.
constexpr uint64_t kNoState = 0, kAvxState = 0x6, kAvx512State = 0xe6;

struct Feature {
  const char *name;
  uint32_t leaf, subleaf;
  Register where;
  uint8_t bit;
  uint64_t state;
};

constexpr Feature kFeatures[] = {
    {"sse", 1, 0, Register::kEdx, 25, kNoState},
    {"sse2", 1, 0, Register::kEdx, 26, kNoState},
    {"sse3", 1, 0, Register::kEcx, 0, kNoState},
    {"pclmul", 1, 0, Register::kEcx, 1, kNoState},
    {"ssse3", 1, 0, Register::kEcx, 9, kNoState},
    {"fma", 1, 0, Register::kEcx, 12, kAvxState},
    {"cx16", 1, 0, Register::kEcx, 13, kNoState},
    {"sse41", 1, 0, Register::kEcx, 19, kNoState},
    {"sse42", 1, 0, Register::kEcx, 20, kNoState},
    {"movbe", 1, 0, Register::kEcx, 22, kNoState},
    {"popcnt", 1, 0, Register::kEcx, 23, kNoState},
    {"aes", 1, 0, Register::kEcx, 25, kNoState},
    {"xsave", 1, 0, Register::kEcx, 26, kNoState},
    {"avx", 1, 0, Register::kEcx, 28, kAvxState},
    {"f16c", 1, 0, Register::kEcx, 29, kAvxState},
    {"bmi", 7, 0, Register::kEbx, 3, kNoState},
    {"bmi1", 7, 0, Register::kEbx, 3, kNoState},
    {"avx2", 7, 0, Register::kEbx, 5, kAvxState},
    {"bmi2", 7, 0, Register::kEbx, 8, kNoState},
    {"avx512f", 7, 0, Register::kEbx, 16, kAvx512State},
    {"avx512dq", 7, 0, Register::kEbx, 17, kAvx512State},
    {"adx", 7, 0, Register::kEbx, 19, kNoState},
    {"avx512ifma", 7, 0, Register::kEbx, 21, kAvx512State},
    {"avx512cd", 7, 0, Register::kEbx, 28, kAvx512State},
    {"avx512bw", 7, 0, Register::kEbx, 30, kAvx512State},
    {"avx512vl", 7, 0, Register::kEbx, 31, kAvx512State},
    {"avx512vbmi", 7, 0, Register::kEcx, 1, kAvx512State},
    {"avx512vbmi2", 7, 0, Register::kEcx, 6, kAvx512State},
    {"gfni", 7, 0, Register::kEcx, 8, kNoState},
    {"vaes", 7, 0, Register::kEcx, 9, kAvxState},
    {"vpclmulqdq", 7, 0, Register::kEcx, 10, kAvxState},
    {"avx512vnni", 7, 0, Register::kEcx, 11, kAvx512State},
    {"avx512bitalg", 7, 0, Register::kEcx, 12, kAvx512State},
    {"avx512vpopcntdq", 7, 0, Register::kEcx, 14, kAvx512State},
    {"avx512fp16", 7, 0, Register::kEdx, 23, kAvx512State},
    {"avxvnni", 7, 1, Register::kEax, 4, kAvxState},
    {"avx512bf16", 7, 1, Register::kEax, 5, kAvx512State},
    {"avxvnniint8", 7, 1, Register::kEdx, 4, kAvxState},
    {"lzcnt", 0x80000001, 0, Register::kEcx, 5, kNoState},
};

uint32_t registerOf(const CpuidRegisters &registers, Register where) {
  switch (where) {
  case Register::kEax:
    return registers.eax;
  case Register::kEbx:
    return registers.ebx;
  case Register::kEcx:
    return registers.ecx;
  case Register::kEdx:
    return registers.edx;
  }
  return 0;
}

std::string plainName(const char *text, size_t length) {
  std::string name;
  for (size_t i = 0; i < length; ++i)
    if (!strchr("-_.+ ", text[i]))
      name += text[i];
  return name;
}

#if defined(__x86_64__)
CpuidRegisters hardwareCpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidRegisters r;
  // Zeros for a leaf beyond the CPU's largest one, which it would answer with
  // the data of another leaf.
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx))
    return {};
  return r;
}

uint64_t hardwareXgetbv() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}
#else
CpuidRegisters hardwareCpuid(uint32_t, uint32_t) { return {}; }
uint64_t hardwareXgetbv() { return 0; }
#endif

bool probeHas(const std::string &name, const CpuProbe &probe) {
  for (const Feature &feature : kFeatures) {
    if (name != feature.name)
      continue;
    if (!(registerOf(probe.cpuid(feature.leaf, feature.subleaf),
                     feature.where) >>
              feature.bit &
          1))
      return false;
    if (feature.state == kNoState)
      return true;
    // xgetbv itself is legal only where the system has set OSXSAVE.
    constexpr uint32_t kOsXsave = 1u << 27;
    return (probe.cpuid(1, 0).ecx & kOsXsave) &&
           (probe.xgetbv() & feature.state) == feature.state;
  }
  return false;
}

} // namespace

const CpuProbe &hardwareProbe() {
  static constexpr CpuProbe kProbe = {hardwareCpuid, hardwareXgetbv};
  return kProbe;
}

bool cpuHas(const char *feature, const CpuProbe &probe) {
  return probeHas(plainName(feature, strlen(feature)), probe);
}

Status checkCpuFeatures(const char *features, const char *target,
                        const CpuProbe &probe) {
  std::string missing;
  int64_t count = 0;
  for (const char *at = features; *at;) {
    size_t length = strcspn(at, ",");
    std::string name = plainName(at, length);
    if (!name.empty() && !probeHas(name, probe)) {
      missing +=
          (missing.empty() ? "`" : ", `") + std::string(at, length) + "`";
      ++count;
    }
    at += length + (at[length] == ',');
  }
  if (count == 0)
    return {};
  return Status::unsupported("this CPU lacks %s; the executable was built for "
                             "target `%s`, which needs %s",
                             missing.c_str(), target, features);
}

} // namespace qwen
