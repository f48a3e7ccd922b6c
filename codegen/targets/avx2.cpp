// avx2.cpp - x86-64 of 2013 and later (Haswell, Zen 1 to 3): AVX2,
// FMA, F16C.
//
// A panel of 16 rows is two registers and there are sixteen, so a tile has half
// the accumulators' width of AVX-512 and a quarter of its registers. vpmaddubsw
// adds pairs of products of u8 and i8 into i16 lanes, which hold the exact sum
// of a few (PairSums.h); vpmaddwd makes i32 of them once a group.
#include "codegen/targets/Target.h"

namespace qwen::codegen::target {

CpuTarget avx2() {
  return {.data = {.name = "avx2",
                   .features = {"sse4.1", "avx", "avx2", "fma", "f16c"},
                   .lanes = 8,
                   .registers = 16,
                   .l1Bytes = 32 << 10,
                   .l2Bytes = 256 << 10,
                   .quadDots = false},
          .halide = "x86-64-linux-avx-avx2-f16c-fma-sse41",
          .fma = true};
}

} // namespace qwen::codegen::target
