// avxvnni.cpp - x86-64 with vpdpbusd of 256 bits and no AVX-512 (Alder Lake
// and later, Sierra Forest).
//
// As AVX2, but for dots: four products of u8 and i8 are added to an i32 lane by
// one instruction, exactly, so no sums of 16 bits stand between. Halide emits
// it for AVX-512 only (Halide issue 8673); LLVM makes this CPU's code of that.
#include "codegen/targets/Target.h"

namespace qwen::codegen::target {

CpuTarget avxvnni() {
  return {
      .data = {.name = "avxvnni",
               .features = {"sse4.1", "avx", "avx2", "fma", "f16c", "avxvnni"},
               .lanes = 8,
               .registers = 16,
               .l1Bytes = 32 << 10,
               .l2Bytes = 1 << 20,
               .quadDots = true},
      .halide = kHalideDots,
      .fma = true,
      .tune = "alderlake"};
}

} // namespace qwen::codegen::target
