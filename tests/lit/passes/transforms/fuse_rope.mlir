// RUN: qwenc-opt %s --split-input-file --qwen-fuse-rope | FileCheck %s

!rows = tensor<?x64xf32>
!k = tensor<?x32xf32>
!cache = !qwen.cache<[64, 2, 16], "f32">
!table = !qwen.weight<[64, 16], "f32", "rope">

// CHECK-LABEL: func.func @rope_with_bias
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[W:.*]]: !qwen.weight<[64, 64]{{.*}}, %[[B:.*]]: !qwen.weight<[64]{{.*}}, %[[TABLE:.*]]: !qwen.weight<[64, 16]{{.*}}, %[[P:.*]]: index
func.func @rope_with_bias(%x: !rows, %w: !qwen.weight<[64, 64], "bf16", "stored">, %b: !qwen.weight<[64], "f32", "vec">,
                          %table: !table, %position: index) -> !rows {
  // CHECK-NEXT: %[[Y:.*]] = qwen.linear_rope %[[X]], %[[W]] bias %[[B]] rope %[[TABLE]], %[[P]] {heads = 4 : i64}
  // CHECK-NEXT: return %[[Y]]
  %q = qwen.linear %x, %w bias %b : (!rows, !qwen.weight<[64, 64], "bf16", "stored">, !qwen.weight<[64], "f32", "vec">) -> !rows
  %y = qwen.rope %q, %table, %position {heads = 4 : i64} : !rows, !table
  return %y : !rows
}

// CHECK-LABEL: func.func @key_with_norm
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[W:.*]]: !qwen.weight<[32, 64]{{.*}}, %[[N:.*]]: !qwen.weight<[16]{{.*}}, %[[TABLE:.*]]: !qwen.weight<[64, 16]{{.*}}, %[[P:.*]]: index, %[[C:.*]]: !qwen.cache
func.func @key_with_norm(%x: !rows, %w: !qwen.weight<[32, 64], "bf16", "stored">, %n: !qwen.weight<[16], "f32", "vec">,
                         %table: !table, %position: index, %cache: !cache) -> !cache {
  // CHECK-NEXT: %[[Y:.*]] = qwen.linear_rope_append %[[C]], %[[X]], %[[W]] norm %[[N]] rope %[[TABLE]], %[[P]] {eps = 1.250000e-01 : f64, heads = 2 : i64}
  // CHECK-NEXT: return %[[Y]]
  %k = qwen.linear %x, %w : (!rows, !qwen.weight<[32, 64], "bf16", "stored">) -> !k
  %kn = qwen.rms_norm %k, %n {eps = 0.125 : f64, heads = 2 : i64} : !k, !qwen.weight<[16], "f32", "vec">
  %kr = qwen.rope %kn, %table, %position {heads = 2 : i64} : !k, !table
  %y = qwen.key_append %cache, %kr, %position : !cache, !k
  return %y : !cache
}

// A quantised row needs all of its head: its append stays an op of its own.
// CHECK-LABEL: func.func @quantised_cache
// CHECK: %[[K:.*]] = qwen.linear_rope
// CHECK-NEXT: qwen.key_append %{{.*}}, %[[K]]
// CHECK-NEXT: %[[V:.*]] = qwen.linear
// CHECK-NEXT: qwen.value_append %{{.*}}, %[[V]]
func.func @quantised_cache(%x: !rows, %w: !qwen.weight<[32, 64], "bf16", "stored">, %table: !table, %position: index,
                           %cache: !qwen.cache<[64, 2, 16], "int8">) -> (!qwen.cache<[64, 2, 16], "int8">, !qwen.cache<[64, 2, 16], "int8">) {
  %k = qwen.linear %x, %w : (!rows, !qwen.weight<[32, 64], "bf16", "stored">) -> !k
  %kr = qwen.rope %k, %table, %position {heads = 2 : i64} : !k, !table
  %keys = qwen.key_append %cache, %kr, %position : !qwen.cache<[64, 2, 16], "int8">, !k
  %v = qwen.linear %x, %w : (!rows, !qwen.weight<[32, 64], "bf16", "stored">) -> !k
  %values = qwen.value_append %cache, %v, %position : !qwen.cache<[64, 2, 16], "int8">, !k
  return %keys, %values : !qwen.cache<[64, 2, 16], "int8">, !qwen.cache<[64, 2, 16], "int8">
}

// CHECK-LABEL: func.func @value
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[W:.*]]: !qwen.weight<[32, 64]{{.*}}, %[[P:.*]]: index, %[[C:.*]]: !qwen.cache
func.func @value(%x: !rows, %w: !qwen.weight<[32, 64], "bf16", "stored">, %position: index, %cache: !cache) -> !cache {
  // CHECK-NEXT: qwen.linear_append %[[C]], %[[X]], %[[W]] at %[[P]]
  %v = qwen.linear %x, %w : (!rows, !qwen.weight<[32, 64], "bf16", "stored">) -> !k
  %y = qwen.value_append %cache, %v, %position : !cache, !k
  return %y : !cache
}

// -----

!rows = tensor<?x64xf32>
!w = !qwen.weight<[64, 64], "bf16", "stored">
!table = !qwen.weight<[64, 16], "f32", "rope">

// A second reader needs the rows before they are rotated.
// CHECK-LABEL: func.func @not_with_second_reader
// CHECK: qwen.linear
// CHECK: qwen.rope
func.func @not_with_second_reader(%x: !rows, %w: !w, %table: !table, %position: index) -> (!rows, !rows) {
  %q = qwen.linear %x, %w : (!rows, !w) -> !rows
  %y = qwen.rope %q, %table, %position {heads = 4 : i64} : !rows, !table
  return %y, %q : !rows, !rows
}

// One norm over the whole row is not a norm of each head.
// CHECK-LABEL: func.func @not_with_norm_of_row
// CHECK: qwen.linear
// CHECK: qwen.rms_norm
// CHECK: qwen.rope
func.func @not_with_norm_of_row(%x: !rows, %w: !w, %n: !qwen.weight<[64], "f32", "vec">, %table: !table, %position: index) -> !rows {
  %q = qwen.linear %x, %w : (!rows, !w) -> !rows
  %qn = qwen.rms_norm %q, %n {eps = 0.125 : f64, heads = 1 : i64} : !rows, !qwen.weight<[64], "f32", "vec">
  %y = qwen.rope %qn, %table, %position {heads = 4 : i64} : !rows, !table
  return %y : !rows
}

// The residual is added to the finished sum, so nothing may follow it inside.
// CHECK-LABEL: func.func @not_after_residual
// CHECK: qwen.linear {{.*}} residual
// CHECK: qwen.rope
func.func @not_after_residual(%x: !rows, %w: !w, %table: !table, %position: index) -> !rows {
  %q = qwen.linear %x, %w residual %x : (!rows, !w, !rows) -> !rows
  %y = qwen.rope %q, %table, %position {heads = 4 : i64} : !rows, !table
  return %y : !rows
}

// -----

!rows = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!k = tensor<?x32xf32>
!cache = !qwen.cache<[64, 2, 16], "f32">
!table = !qwen.weight<[64, 16], "f32", "rope">

// Keys rotated for one position cannot go to another one.
// CHECK-LABEL: func.func @not_at_other_position
// CHECK: qwen.linear_rope %
// CHECK: qwen.key_append
func.func @not_at_other_position(%x: !rows, %w: !w, %table: !table, %p: index, %other: index, %cache: !cache) -> !cache {
  %k = qwen.linear %x, %w : (!rows, !w) -> !k
  %kr = qwen.rope %k, %table, %p {heads = 2 : i64} : !k, !table
  %y = qwen.key_append %cache, %kr, %other : !cache, !k
  return %y : !cache
}

// The append reads rows that something else reads too.
// CHECK-LABEL: func.func @value_not_with_second_reader
// CHECK: qwen.linear
// CHECK: qwen.value_append
func.func @value_not_with_second_reader(%x: !rows, %w: !w, %position: index, %cache: !cache) -> (!cache, !k) {
  %v = qwen.linear %x, %w : (!rows, !w) -> !k
  %y = qwen.value_append %cache, %v, %position : !cache, !k
  return %y, %v : !cache, !k
}
