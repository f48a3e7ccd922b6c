// RUN: qwenc-opt %s --qwen-raise-tail | FileCheck %s
// RUN: qwenc-opt %s --qwen-raise-tail --qwen-select-kernels=target=avx2 --qwen-partition --qwen-plan-weights --qwen-plan-buffers | FileCheck %s --check-prefix=PLAN

!row = tensor<1x64xf32>
!rows = tensor<?x64xf32>
!act = !qwen.act<64, "q8g32">
!w = !qwen.weight<[64, 64], "q8g32", "panel16">
!cache = !qwen.cache<[64, 2, 32], "f16">

// What appends and attention read is computed for all rows, the rest for the wanted ones; a value has one tail.
// CHECK-LABEL: func.func @prefill
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf32>, %[[POSITION:.*]]: index, %[[FIRST:.*]]: index)
// CHECK: %[[A:.*]] = qwen.quantize %[[X]] :
// CHECK: qwen.linear_append %{{.*}}, %[[A]],
// CHECK: %[[MIXED:.*]] = qwen.attention %[[X]],
// CHECK-NEXT: %[[WANTED:.*]] = qwen.tail %[[MIXED]], %[[FIRST]]
// CHECK-NEXT: %[[B:.*]] = qwen.quantize %[[WANTED]] :
// CHECK-NEXT: %[[BEFORE:.*]] = qwen.tail %[[X]], %[[FIRST]]
// CHECK-NEXT: %[[O:.*]] = qwen.linear %[[B]], %{{.*}} residual %[[BEFORE]]
// CHECK-NEXT: %[[SUM:.*]] = qwen.add %[[O]], %[[BEFORE]]
// CHECK-NEXT: return %[[SUM]]

// A tail's rows start `first` rows on in what all rows have; behind it they start at 0.
// PLAN-LABEL: qwen.step @prefill
// PLAN: qk_attention__{{.*}} rows all
// PLAN: qk_quantize__{{.*}} rows tail {{.*}} in [#qwen.slot<arena, {{[0-9]+}} token = 256 first = 256>]
// PLAN: qk_linear__{{.*}} rows tail {{.*}}, #qwen.slot<ids, 0 token = 4 first = 4>] scalars
func.func @prefill(%x: !rows, %position: index, %first: index) -> !rows {
  %w = qwen.weight "w" : !w
  %k = qwen.cache key layer 0 : !cache
  %v = qwen.cache value layer 0 : !cache
  %a = qwen.quantize %x : !rows -> !act
  %values = qwen.linear_append %v, %a, %w at %position : (!cache, !act, !w, index) -> !cache
  %mixed = qwen.attention %x, %k, %values, %position {heads = 2 : i64} : !rows, !cache, !cache
  %b = qwen.quantize %mixed : !rows -> !act
  %o = qwen.linear %b, %w residual %x : (!act, !w, !rows) -> !rows
  %sum = qwen.add %o, %x : !rows
  %tail = qwen.tail %sum, %first : !rows -> !rows
  return %tail : !rows
}

// Quantised rows have no tail: what reads those of all rows stays in front of it.
// CHECK-LABEL: func.func @shared_rows
// CHECK: %[[A:.*]] = qwen.quantize
// CHECK: qwen.linear_append %{{.*}}, %[[A]],
// CHECK: %[[Y:.*]] = qwen.linear %[[A]],
// CHECK-NEXT: qwen.tail %[[Y]],
func.func @shared_rows(%x: !rows, %position: index, %first: index) -> !rows {
  %w = qwen.weight "w" : !w
  %v = qwen.cache value layer 0 : !cache
  %a = qwen.quantize %x : !rows -> !act
  %values = qwen.linear_append %v, %a, %w at %position : (!cache, !act, !w, index) -> !cache
  %y = qwen.linear %a, %w : (!act, !w) -> !rows
  %tail = qwen.tail %y, %first : !rows -> !rows
  return %tail : !rows
}

// A step of one token has no row to spare.
// CHECK-LABEL: func.func @decode
// CHECK: %[[Y:.*]] = qwen.add %
// CHECK: qwen.tail %[[Y]],
func.func @decode(%x: !row, %first: index) -> !rows {
  %y = qwen.add %x, %x : !row
  %tail = qwen.tail %y, %first : !row -> !rows
  return %tail : !rows
}
