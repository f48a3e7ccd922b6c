// RUN: qwenc-opt %s --qwen-select-formats | FileCheck %s
// RUN: qwenc-opt %s --qwen-select-formats=activations=f32 | FileCheck %s --check-prefix=F32
// RUN: not qwenc-opt %s --qwen-select-formats=format=bf16 2>&1 | FileCheck %s --check-prefix=REFUSED
// RUN: not qwenc-opt %s --qwen-select-formats=format=q3 2>&1 | FileCheck %s --check-prefix=UNKNOWN

!x = tensor<?x64xf32>
!q5 = !qwen.weight<[32, 64], "q5_0", "stored">
!bf16 = !qwen.weight<[32, 64], "bf16", "stored">
!y = tensor<?x32xf32>

// Both linears read one quantised copy of the rows; the bf16 weight takes f32 rows only.
// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x64xf32>
// CHECK: %[[Q:.*]] = qwen.quantize %[[X]] : tensor<?x64xf32> -> <64, "q8g32">
// CHECK: qwen.weight "a" : <[32, 64], "q5g32", "panel16">
// CHECK: qwen.weight "c" : <[32, 64], "bf16", "panel16">
// CHECK: qwen.linear %[[Q]]
// CHECK: qwen.linear %[[Q]]
// CHECK: qwen.linear %[[X]]
// CHECK-NOT: qwen.quantize

// F32: func.func @step
// F32-NOT: qwen.quantize
// F32-COUNT-3: qwen.linear %arg0

// REFUSED: error: `a` is stored as q5_0, which format `bf16` does not take; formats that do: q5g32
// UNKNOWN: error: option `format` is `q3`; formats are stored, {{.*}}q8g32
func.func @step(%x: !x) -> (!y, !y, !y) {
  %a = qwen.weight "a" : !q5
  %b = qwen.weight "b" : !q5
  %c = qwen.weight "c" : !bf16
  %ya = qwen.linear %x, %a : (!x, !q5) -> !y
  %yb = qwen.linear %x, %b : (!x, !q5) -> !y
  %yc = qwen.linear %x, %c : (!x, !bf16) -> !y
  return %ya, %yb, %yc : !y, !y, !y
}
