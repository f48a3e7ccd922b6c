// RUN: qwenc-opt %s --qwen-split-steps | FileCheck %s

!x = tensor<?x64xf32>

// Rows are one up to the tail, which may keep none of them.
// CHECK-LABEL: func.func @decode
// CHECK-SAME: (%[[X:.*]]: tensor<1x64xf32>, %[[FIRST:.*]]: index) -> tensor<?x64xf32>
// CHECK: %[[Y:.*]] = qwen.add %[[X]], %[[X]] : tensor<1x64xf32>
// CHECK: %[[T:.*]] = qwen.tail %[[Y]], %[[FIRST]] : tensor<1x64xf32> -> tensor<?x64xf32>
// CHECK: qwen.add %[[T]], %[[T]] : tensor<?x64xf32>

// CHECK-LABEL: func.func @prefill
// CHECK-SAME: (%{{.*}}: tensor<?x64xf32>, %{{.*}}: index) -> tensor<?x64xf32>
// CHECK: qwen.add {{.*}} : tensor<?x64xf32>
func.func @step(%x: !x, %first: index) -> !x {
  %y = qwen.add %x, %x : !x
  %t = qwen.tail %y, %first : !x -> !x
  %z = qwen.add %t, %t : !x
  return %z : !x
}

// CHECK-LABEL: func.func @not_a_step
// CHECK-SAME: tensor<?x64xf32>
func.func @not_a_step(%x: !x) -> !x {
  return %x : !x
}
