// RUN: qwenc-opt %s --qwen-fuse-residual --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s

!x = tensor<?x64xf32>
!w = !qwen.weight<[64, 64], "bf16", "stored">

// The result keeps the sum's name first, then the linear's.
// CHECK-LABEL: func.func @right
// CHECK-SAME: %[[X:[^ ]*]]: tensor<?x64xf32>{{.*}}, %[[R:[^ ]*]]: tensor<?x64xf32>{{.*}}, %[[W:[^ ]*]]: !qwen.weight
func.func @right(%x: !x, %r: !x, %w: !w) -> !x {
  // CHECK-NEXT: %[[Y:.*]] = qwen.linear %[[X]], %[[W]] residual %[[R]] {{.*}} loc(fused["sum"{{.*}}, "down_proj"{{.*}}])
  // CHECK-NEXT: return %[[Y]]
  %d = qwen.linear %x, %w : (!x, !w) -> !x loc("down_proj")
  %y = qwen.add %r, %d : !x loc("sum")
  return %y : !x
}

// CHECK-LABEL: func.func @left
// CHECK: qwen.linear {{.*}} residual
// CHECK-NEXT: return
func.func @left(%x: !x, %r: !x, %w: !w) -> !x {
  %d = qwen.linear %x, %w : (!x, !w) -> !x
  %y = qwen.add %d, %r : !x
  return %y : !x
}

// Of two linears one takes the other as its residual.
// CHECK-LABEL: func.func @two_linears
// CHECK: %[[A:.*]] = qwen.linear
// CHECK-NEXT: qwen.linear {{.*}} residual %[[A]]
// CHECK-NEXT: return
func.func @two_linears(%x: !x, %z: !x, %w: !w) -> !x {
  %a = qwen.linear %x, %w : (!x, !w) -> !x
  %b = qwen.linear %z, %w : (!x, !w) -> !x
  %y = qwen.add %a, %b : !x
  return %y : !x
}

// CHECK-LABEL: func.func @not_with_second_reader
// CHECK: qwen.add
func.func @not_with_second_reader(%x: !x, %r: !x, %w: !w) -> (!x, !x) {
  %d = qwen.linear %x, %w : (!x, !w) -> !x
  %y = qwen.add %r, %d : !x
  return %y, %d : !x, !x
}

// CHECK-LABEL: func.func @not_doubled
// CHECK: qwen.add
func.func @not_doubled(%x: !x, %w: !w) -> !x {
  %d = qwen.linear %x, %w : (!x, !w) -> !x
  %y = qwen.add %d, %d : !x
  return %y : !x
}

// CHECK-LABEL: func.func @not_twice
// CHECK: qwen.add
func.func @not_twice(%x: !x, %r: !x, %w: !w) -> !x {
  %d = qwen.linear %x, %w residual %r : (!x, !w, !x) -> !x
  %y = qwen.add %r, %d : !x
  return %y : !x
}
