// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!act = !qwen.act<64, "q8g32">

func.func @quantize(%x: !x) {
  %q = qwen.quantize %x : !x -> !act
  return
}

// -----

!y = tensor<?x32xf32>
!act = !qwen.act<64, "q8g32">

func.func @quantize_c1(%x: !y) {
  // expected-error@+1 {{x has width 32, the result 64}}
  %q = qwen.quantize %x : !y -> !act
  return
}
