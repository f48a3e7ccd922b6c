// x86_64.cpp - any 64-bit x86 with SSE4.1: the baseline, for machines that
// nothing else fits.
//
// Four lanes and sixteen registers. There is no fused multiply-add, so a
// product is rounded before it is added: results are bit-identical within this
// target, and differ from the other targets' in the last bits.
#include "codegen/targets/Target.h"

namespace qwen::codegen::target {

CpuTarget x86_64() {
  return {.data = {.name = "x86_64",
                   .features = {"sse4.1"},
                   .lanes = 4,
                   .registers = 16,
                   .l1Bytes = 32 << 10,
                   .l2Bytes = 256 << 10,
                   .quadDots = false},
          .halide = "x86-64-linux-sse41",
          .fma = false};
}

} // namespace qwen::codegen::target
