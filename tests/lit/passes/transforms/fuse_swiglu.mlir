// RUN: qwenc-opt %s --qwen-fuse-swiglu | FileCheck %s

!x = tensor<?x64xf32>
!y = tensor<?x128xf32>
!w = !qwen.weight<[128, 64], "q5_0", "stored">
!other = !qwen.weight<[128, 64], "q8_0", "stored">
!bias = !qwen.weight<[128], "f32", "vec">

// CHECK-LABEL: func.func @gate_and_up
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[GATE:.*]]: !qwen.weight<{{.*}}>, %[[UP:.*]]: !qwen.weight
func.func @gate_and_up(%x: !x, %wgate: !w, %wup: !w) -> !y {
  // CHECK-NEXT: %[[Y:.*]] = qwen.linear_swiglu %[[X]], %[[GATE]], %[[UP]]
  // CHECK-NEXT: return %[[Y]]
  %up = qwen.linear %x, %wup : (!x, !w) -> !y
  %gate = qwen.linear %x, %wgate : (!x, !w) -> !y
  %y = qwen.swiglu %gate, %up : !y
  return %y : !y
}

// CHECK-LABEL: func.func @not_with_two_types
// CHECK: qwen.swiglu
func.func @not_with_two_types(%x: !x, %wgate: !w, %wup: !other) -> !y {
  %gate = qwen.linear %x, %wgate : (!x, !w) -> !y
  %up = qwen.linear %x, %wup : (!x, !other) -> !y
  %y = qwen.swiglu %gate, %up : !y
  return %y : !y
}

// CHECK-LABEL: func.func @not_of_two_inputs
// CHECK: qwen.swiglu
func.func @not_of_two_inputs(%x: !x, %z: !x, %wgate: !w, %wup: !w) -> !y {
  %gate = qwen.linear %x, %wgate : (!x, !w) -> !y
  %up = qwen.linear %z, %wup : (!x, !w) -> !y
  %y = qwen.swiglu %gate, %up : !y
  return %y : !y
}

// CHECK-LABEL: func.func @not_with_bias
// CHECK: qwen.swiglu
func.func @not_with_bias(%x: !x, %wgate: !w, %wup: !w, %b: !bias) -> !y {
  %gate = qwen.linear %x, %wgate bias %b : (!x, !w, !bias) -> !y
  %up = qwen.linear %x, %wup : (!x, !w) -> !y
  %y = qwen.swiglu %gate, %up : !y
  return %y : !y
}

// CHECK-LABEL: func.func @not_of_one_linear
// CHECK: qwen.swiglu
func.func @not_of_one_linear(%x: !x, %w: !w) -> !y {
  %gate = qwen.linear %x, %w : (!x, !w) -> !y
  %y = qwen.swiglu %gate, %gate : !y
  return %y : !y
}
