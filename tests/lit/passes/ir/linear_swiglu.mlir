// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @linear_swiglu(%x: !x, %g: !w, %u: !w) {
  %y = qwen.linear_swiglu %x, %g, %u : (!x, !w, !w) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!big = !qwen.weight<[64, 64], "bf16", "stored">

func.func @linear_swiglu_c1(%x: !x, %g: !w, %u: !big) {
  // expected-error@+1 {{the gate weight is '!qwen.weight<[32, 64], "bf16", "stored">', the up weight '!qwen.weight<[64, 64], "bf16", "stored">'}}
  %y = qwen.linear_swiglu %x, %g, %u : (!x, !w, !big) -> !y
  return
}

// -----

!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @linear_swiglu_c2(%x: !y, %g: !w, %u: !w) {
  // expected-error@+1 {{x has width 32, the weight takes 64}}
  %y = qwen.linear_swiglu %x, %g, %u : (!y, !w, !w) -> !y
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @linear_swiglu_c3(%x: !x, %g: !w, %u: !w) {
  // expected-error@+1 {{the result has width 64, not 32}}
  %y = qwen.linear_swiglu %x, %g, %u : (!x, !w, !w) -> !x
  return
}
