; RUN: llvm-as %s -o %t.bc
; RUN: qwenc-native %t.bc --features avx2,avxvnni --tune alderlake --assembly -o - | FileCheck %s
; RUN: qwenc-native %t.bc --features avx2,avx512f,avx512vnni --tune znver4 --assembly -o - | FileCheck %s --check-prefix=WHOLE
;
; A dot of 512 bits is two of 256 where there is no AVX-512, and ceilf an instruction.

target triple = "x86_64-unknown-linux-gnu"

; CHECK-LABEL: dot:
; CHECK-NOT: zmm
; CHECK-COUNT-2: {vex} vpdpbusd {{.*}}%ymm
; CHECK: vroundss
; CHECK-NOT: call
; WHOLE-LABEL: dot:
; WHOLE: vpdpbusd {{.*}}%zmm
define float @dot(ptr %sums, ptr %quants, ptr %values, float %x) {
  %a = load <16 x i32>, ptr %sums
  %b = load <64 x i8>, ptr %quants
  %c = load <64 x i8>, ptr %values
  %d = call <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32> %a, <64 x i8> %b, <64 x i8> %c)
  store <16 x i32> %d, ptr %sums
  %y = call float @ceilf(float %x)
  ret float %y
}

declare <16 x i32> @llvm.x86.avx512.vpdpbusd.512(<16 x i32>, <64 x i8>, <64 x i8>)
declare float @ceilf(float) memory(none)
