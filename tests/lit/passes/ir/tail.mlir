// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>

func.func @tail(%x: !x, %f: index) {
  %y = qwen.tail %x, %f : !x -> !x
  return
}

// -----

!x = tensor<?x64xf32>
!y = tensor<?x32xf32>

func.func @tail_c1(%x: !x, %f: index) {
  // expected-error@+1 {{x has width 64, the result 32}}
  %y = qwen.tail %x, %f : !x -> !y
  return
}
