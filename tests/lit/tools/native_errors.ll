; RUN: llvm-as %s -o %t.bc
; RUN: not qwenc-native %t.bc --features avx2 --tune haswell -o %t.o 2>&1 | FileCheck %s
; RUN: not qwenc-native %s --features avx2 --tune haswell -o %t.none 2>&1 | FileCheck %s --check-prefix=TEXT
; RUN: test ! -e %t.none
; RUN: not qwenc-native %t.bc --features avx512f,avx512bw --tune haswell -o %t.folder/none.o 2>&1 | FileCheck %s --check-prefix=WHERE
;
; What it cannot do is one line.

target triple = "x86_64-unknown-linux-gnu"

; CHECK: {{^}}qwenc-native: error: {{.*}}.bc: no halves of `llvm.x86.avx512.psad.bw.512`
; TEXT: {{^}}qwenc-native: error: {{.*}}native_errors.ll:
; WHERE: {{^}}qwenc-native: error: {{.*}}cannot write `{{.*}}none.o`: No such file or directory
define <8 x i64> @sum(<64 x i8> %a, <64 x i8> %b) {
  %c = call <8 x i64> @llvm.x86.avx512.psad.bw.512(<64 x i8> %a, <64 x i8> %b)
  ret <8 x i64> %c
}

declare <8 x i64> @llvm.x86.avx512.psad.bw.512(<64 x i8>, <64 x i8>)
