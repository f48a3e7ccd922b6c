// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!one = tensor<1x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!b = !qwen.weight<[32], "f32", "vec">
!act = !qwen.act<64, "q8g32">

func.func @linear(%x: !x, %w: !w, %b: !b, %r: !y, %q: !act) {
  %0 = qwen.linear %x, %w : (!x, !w) -> !y
  %1 = qwen.linear %x, %w bias %b residual %r : (!x, !w, !b, !y) -> !y
  %2 = qwen.linear %q, %w : (!act, !w) -> !one
  return
}

// -----

!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @linear_c1(%x: !y, %w: !w) {
  // expected-error@+1 {{x has width 32, the weight takes 64}}
  %y = qwen.linear %x, %w : (!y, !w) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!vec = !qwen.weight<[64], "f32", "vec">

func.func @linear_c1(%x: !x, %w: !vec) {
  // expected-error@+1 {{not a matrix}}
  %y = qwen.linear %x, %w : (!x, !vec) -> !x
  return
}

// -----

!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @linear_c1(%x: !qwen.act<32, "q8g32">, %w: !w) {
  // expected-error@+1 {{x has width 32, the weight takes 64}}
  %y = qwen.linear %x, %w : (!qwen.act<32, "q8g32">, !w) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @linear_c2(%x: !x, %w: !w) {
  // expected-error@+1 {{the result has width 64, not 32}}
  %y = qwen.linear %x, %w : (!x, !w) -> !x
  return
}

// -----

!x = tensor<?x64xf32>
!one = tensor<1x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @linear_c2(%x: !x, %w: !w) {
  // expected-error@+1 {{has other rows than the operand}}
  %y = qwen.linear %x, %w : (!x, !w) -> !one
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!vec = !qwen.weight<[64], "f32", "vec">

func.func @linear_c3(%x: !x, %w: !w, %b: !vec) {
  // expected-error@+1 {{the bias is '!qwen.weight<[64], "f32", "vec">', not a `vec` of 32}}
  %y = qwen.linear %x, %w bias %b : (!x, !w, !vec) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!one = tensor<1x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @linear_c4(%x: !x, %w: !w, %r: !one) {
  // expected-error@+1 {{the residual is 'tensor<1x32xf32>', the result 'tensor<?x32xf32>'}}
  %y = qwen.linear %x, %w residual %r : (!x, !w, !one) -> !y
  return
}
