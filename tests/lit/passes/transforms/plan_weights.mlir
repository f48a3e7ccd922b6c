// RUN: qwenc-opt %s --qwen-plan-weights | FileCheck %s

!x = tensor<1x64xf32>
!vec = !qwen.weight<[64], "f32", "vec">
!small = !qwen.weight<[64, 64], "f32", "panel16">
!big = !qwen.weight<[512, 64], "f32", "panel16">
!table = !qwen.weight<[128, 32], "f32", "rope">

// In the order of first use, each once; a large one starts a page.
// CHECK: qwen.packed_weight "norm" at 0 : !qwen.weight<[64], "f32", "vec">
// CHECK-NEXT: qwen.packed_weight "small" at 256 :
// CHECK-NEXT: qwen.packed_weight "rope_table" at 16640 theta 1.000000e+06 :
// CHECK-NEXT: qwen.packed_weight "big" at 36864 :
// CHECK-NEXT: func.func @decode
func.func @decode(%x: !x, %p: index) -> tensor<1x512xf32> {
  %big = qwen.weight "big" : !big
  %t = qwen.rope_table {theta = 1.0e+06 : f64} : !table
  %small = qwen.weight "small" : !small
  %norm = qwen.weight "norm" : !vec
  %unused = qwen.weight "unused" : !vec
  %n = qwen.rms_norm %x, %norm {eps = 1.0e-06 : f64, heads = 1 : i64} : !x, !vec
  %a = qwen.linear %n, %small : (!x, !small) -> !x
  %b = qwen.linear %a, %small : (!x, !small) -> !x
  %r = qwen.rope %b, %t, %p {heads = 2 : i64} : !x, !table
  %y = qwen.linear %r, %big : (!x, !big) -> tensor<1x512xf32>
  return %y : tensor<1x512xf32>
}
