// RUN: qwenc-opt %s --qwen-partition | FileCheck %s

!x = tensor<1x64xf32>
!rows = tensor<?x64xf32>
!w = !qwen.weight<[64, 64], "f32", "panel16">

// One row: cheap ops are repeated by every thread, so only what linears write crosses threads; the two linears of one
// input have no barrier between them.
// CHECK-LABEL: func.func @decode
// CHECK: qwen.add {{.*}}partition<replicated, chunks = 1, tokenBlock = 0>
// CHECK-NOT: qwen.barrier
// CHECK: qwen.linear {{.*}}partition<shared, chunks = 4, tokenBlock = 0>
// CHECK-NOT: qwen.barrier
// CHECK: qwen.linear
// CHECK: qwen.barrier
// CHECK-NEXT: qwen.swiglu {{.*}}partition<replicated
// CHECK-NOT: qwen.barrier
// CHECK: return
func.func @decode(%x: !x, %w: !w) -> !x {
  %s = qwen.add %x, %x {qwen.kernel = "qk_add__plain__k64_t1__avx2_p"} : !x
  %a = qwen.linear %s, %w {qwen.kernel = "qk_linear__f32_f32__k64_n64_m16_t1__avx2_p1x1x1"} : (!x, !w) -> !x
  %b = qwen.linear %s, %w {qwen.kernel = "qk_linear__f32_f32__k64_n64_m16_t1__avx2_p1x1x1"} : (!x, !w) -> !x
  %y = qwen.swiglu %a, %b {qwen.kernel = "qk_swiglu__plain__k64_t1__avx2_p"} : !x
  return %y : !x
}

// Many rows: row ops are cut into blocks of rows, and what they write crosses threads too, also through the tail.
// CHECK-LABEL: func.func @prefill
// CHECK: qwen.add {{.*}}partition<shared, chunks = 1, tokenBlock = 8>
// CHECK: qwen.tail
// CHECK-NEXT: qwen.barrier
// CHECK-NEXT: qwen.linear {{.*}}partition<shared, chunks = 4, tokenBlock = 0>
func.func @prefill(%x: !rows, %w: !w, %first: index) -> !rows {
  %s = qwen.add %x, %x {qwen.kernel = "qk_add__plain__k64_t0__avx2_p"} : !rows
  %t = qwen.tail %s, %first : !rows -> !rows
  %a = qwen.linear %t, %w {qwen.kernel = "qk_linear__f32_f32__k64_n64_m16_t0__avx2_p4x1x1"} : (!rows, !w) -> !rows
  return %a : !rows
}
