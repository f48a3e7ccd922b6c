// RUN: qwenc-opt %s -split-input-file --qwen-select-kernels=target=avx2 -verify-diagnostics | FileCheck %s

!x = tensor<1x64xf32>
!rows = tensor<?x64xf32>
!f16 = !qwen.weight<[96, 64], "f16", "panel16">
!table = !qwen.weight<[128, 32], "f32", "rope">
!cache = !qwen.cache<[128, 1, 32], "f16">

// CHECK-LABEL: func.func @decode
func.func @decode(%x: !x, %w: !f16, %b: !qwen.weight<[96], "f32", "vec">) -> tensor<1x96xf32> {
  // CHECK: qwen.linear {{.*}}qwen.kernel = "qk_linear__f16_f32_bias__k64_n96_m96_t1__avx2_p
  %y = qwen.linear %x, %w bias %b : (!x, !f16, !qwen.weight<[96], "f32", "vec">) -> tensor<1x96xf32>
  return %y : tensor<1x96xf32>
}

// CHECK-LABEL: func.func @prefill
func.func @prefill(%x: !rows, %k: !cache, %w: !qwen.weight<[64], "f32", "vec">, %t: !table, %p: index) -> !rows {
  // CHECK: qwen.rms_norm {{.*}}qwen.kernel = "qk_rms_norm__plain__k64_h1_t0__avx2_p"
  %n = qwen.rms_norm %x, %w {eps = 1.0e-06 : f64, heads = 1 : i64} : !rows, !qwen.weight<[64], "f32", "vec">
  // CHECK: qwen.rope {{.*}}qwen.kernel = "qk_rope__plain__h2_c32_t0__avx2_p
  %r = qwen.rope %n, %t, %p {heads = 2 : i64} : !rows, !table
  // CHECK: qwen.attention {{.*}}qwen.kernel = "qk_attention__f16__h2_r2_c32_s128_t0__avx2_p
  %y = qwen.attention %r, %k, %k, %p {heads = 2 : i64} : !rows, !cache, !cache
  return %y : !rows
}

// Rows are quantised: few of them have a kernel of their own, but not with one panel a chunk, and a single one never.

!q8 = !qwen.weight<[256, 64], "q8g32", "panel16">
!small = !qwen.weight<[16, 64], "q8g32", "panel16">

// CHECK-LABEL: func.func @quantised_rows
func.func @quantised_rows(%ids: tensor<?xi32>, %x: !qwen.act<64, "q8g32">, %w: !q8, %s: !small) {
  // CHECK: qwen.linear {{.*}}qwen.few_kernel = "qk_linear__q8g32_q8g32__k64_n256_m256_t0__avx2_p4x1x1x16x16x1"
  // CHECK-SAME: qwen.kernel = "qk_linear__q8g32_q8g32__k64_n256_m256_t0__avx2_p8x1x1x0x16x0"
  %0 = qwen.linear %x, %w : (!qwen.act<64, "q8g32">, !q8) -> tensor<?x256xf32>
  // CHECK: qwen.linear
  // CHECK-NOT: few_kernel
  // CHECK-SAME: qwen.kernel = "qk_linear__q8g32_q8g32__k64_n16_m16_t0__avx2_p
  %1 = qwen.linear %x, %s : (!qwen.act<64, "q8g32">, !small) -> tensor<?x16xf32>
  return
}

// CHECK-LABEL: func.func @quantised_row
func.func @quantised_row(%ids: tensor<1xi32>, %x: !qwen.act<64, "q8g32">, %w: !q8) {
  // CHECK: qwen.linear
  // CHECK-NOT: few_kernel
  // CHECK-SAME: qwen.kernel = "qk_linear__q8g32_q8g32__k64_n256_m256_t1__avx2_p
  %0 = qwen.linear %x, %w : (!qwen.act<64, "q8g32">, !q8) -> tensor<1x256xf32>
  return
}

// -----

// A head of 24 values has no RoPE kernel.
!x = tensor<1x48xf32>
!table = !qwen.weight<[128, 24], "f32", "rope">
func.func @decode(%x: !x, %t: !table, %p: index) -> !x {
  // expected-error@+1 {{no kernel for `qwen.rope` (): dim `c` of kernel `rope` is 24, not a multiple of 32}}
  %r = qwen.rope %x, %t, %p {heads = 2 : i64} : !x, !table
  return %r : !x
}
