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

// -----

// A head of 24 values has no RoPE kernel.
!x = tensor<1x48xf32>
!table = !qwen.weight<[128, 24], "f32", "rope">
func.func @decode(%x: !x, %t: !table, %p: index) -> !x {
  // expected-error@+1 {{no kernel for `qwen.rope` (): dim `c` of kernel `rope` is 24, not a multiple of 32}}
  %r = qwen.rope %x, %t, %p {heads = 2 : i64} : !x, !table
  return %r : !x
}
