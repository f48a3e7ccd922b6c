// avx512.cpp - x86-64 with AVX-512, its dot products and GFNI (Ice Lake and
// later Xeons, Tiger Lake, Rocket Lake, Zen 4 and later).
//
// One panel of 16 rows is one register. vpdpbusd multiplies 64 u8 by 64 i8 and
// adds each four into an i32 lane, so a group of 32 costs eight of them a
// panel, and an integer dot is exact: nothing saturates. A 512-bit operation is
// two passes through 256-bit units on Zen 4: peaks are 115 GFLOP/s in f32 and
// 463 GOP/s in vpdpbusd a core at 3.7 GHz, and decode is bound by memory long
// before. 32 registers hold 16 to 24 accumulators beside operands. The
// second-level cache of 1 MB (2 MB on Sapphire Rapids) holds a chunk of weights
// and a block of tokens at once.
//
// Halide has these dots for Zen 4, which knows bf16 too and Ice Lake does not:
// LLVM makes code of the list below alone.
#include "codegen/targets/Target.h"

namespace qwen::codegen::target {

CpuTarget avx512() {
  return {
      .data = {.name = "avx512",
               .features = {"sse4.1",     "avx",          "avx2",
                            "fma",        "f16c",         "bmi",
                            "bmi2",       "lzcnt",        "popcnt",
                            "gfni",       "avx512f",      "avx512bw",
                            "avx512dq",   "avx512vl",     "avx512cd",
                            "avx512ifma", "avx512vbmi",   "avx512vbmi2",
                            "avx512vnni", "avx512bitalg", "avx512vpopcntdq"},
               .lanes = 16,
               .registers = 32,
               .l1Bytes = 32 << 10,
               .l2Bytes = 1 << 20,
               .quadDots = true},
      .halide = kHalideDots,
      .fma = true,
      .tune = "znver4"};
}

} // namespace qwen::codegen::target
