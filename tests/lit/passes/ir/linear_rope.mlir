// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!b = !qwen.weight<[32], "f32", "vec">
!head = !qwen.weight<[16], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope(%x: !x, %w: !w, %b: !b, %n: !head, %t: !table, %p: index) {
  %0 = qwen.linear_rope %x, %w rope %t, %p {heads = 2 : i64} : (!x, !w, !table, index) -> !y
  %1 = qwen.linear_rope %x, %w bias %b norm %n rope %t, %p {heads = 2 : i64, eps = 1.0e-06 : f64} : (!x, !w, !b, !head, !table, index) -> !y
  return
}

// -----

!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope_c1(%x: !y, %w: !w, %t: !table, %p: index) {
  // expected-error@+1 {{x has width 32, the weight takes 64}}
  %0 = qwen.linear_rope %x, %w rope %t, %p {heads = 2 : i64} : (!y, !w, !table, index) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope_c2(%x: !x, %w: !w, %t: !table, %p: index) {
  // expected-error@+1 {{the result has width 64, not 32}}
  %0 = qwen.linear_rope %x, %w rope %t, %p {heads = 2 : i64} : (!x, !w, !table, index) -> !x
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!vec = !qwen.weight<[64], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope_c3(%x: !x, %w: !w, %b: !vec, %t: !table, %p: index) {
  // expected-error@+1 {{not a `vec` of 32}}
  %0 = qwen.linear_rope %x, %w bias %b rope %t, %p {heads = 2 : i64} : (!x, !w, !vec, !table, index) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope_c4(%x: !x, %w: !w, %t: !table, %p: index) {
  // expected-error@+1 {{4 heads of width 16 do not make rows of 32}}
  %0 = qwen.linear_rope %x, %w rope %t, %p {heads = 4 : i64} : (!x, !w, !table, index) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!b = !qwen.weight<[32], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope_c5(%x: !x, %w: !w, %n: !b, %t: !table, %p: index) {
  // expected-error@+1 {{the norm weight is '!qwen.weight<[32], "f32", "vec">', not a `vec` of 16}}
  %0 = qwen.linear_rope %x, %w norm %n rope %t, %p {heads = 2 : i64, eps = 1.0e-06 : f64} : (!x, !w, !b, !table, index) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!head = !qwen.weight<[16], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope_c6(%x: !x, %w: !w, %n: !head, %t: !table, %p: index) {
  // expected-error@+1 {{eps is given exactly when a norm weight is}}
  %0 = qwen.linear_rope %x, %w norm %n rope %t, %p {heads = 2 : i64} : (!x, !w, !head, !table, index) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope_c6(%x: !x, %w: !w, %t: !table, %p: index) {
  // expected-error@+1 {{eps is given exactly when a norm weight is}}
  %0 = qwen.linear_rope %x, %w rope %t, %p {heads = 2 : i64, eps = 1.0e-06 : f64} : (!x, !w, !table, index) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!head = !qwen.weight<[16], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @linear_rope_c6(%x: !x, %w: !w, %n: !head, %t: !table, %p: index) {
  // expected-error@+1 {{not positive}}
  %0 = qwen.linear_rope %x, %w norm %n rope %t, %p {heads = 2 : i64, eps = -1.0 : f64} : (!x, !w, !head, !table, index) -> !y
  return
}
