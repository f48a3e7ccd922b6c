// avx512vnni.cpp - x86-64 with AVX-512's dot products and little else of its
// extensions (Cascade Lake, Cooper Lake).
//
// As avx512.cpp, but for GFNI, which shifts the bytes of quants in one
// instruction where this takes two, and permutations of bytes. Tiles and what
// is asked for ahead are the same.
#include "codegen/targets/Target.h"

namespace qwen::codegen::target {

CpuTarget avx512vnni() {
  return {
      .data = {.name = "avx512vnni",
               .features = {"sse4.1", "avx", "avx2", "fma", "f16c", "bmi",
                            "bmi2", "lzcnt", "popcnt", "avx512f", "avx512bw",
                            "avx512dq", "avx512vl", "avx512cd", "avx512vnni"},
               .lanes = 16,
               .registers = 32,
               .l1Bytes = 32 << 10,
               .l2Bytes = 1 << 20,
               .quadDots = true,
               .pointsOf = "avx512"},
      .halide = kHalideDots,
      .fma = true,
      .tune = "cascadelake"};
}

} // namespace qwen::codegen::target
