// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!ids = tensor<?xi32>

func.func @argmax(%l: !x) {
  %y = qwen.argmax %l {eligible = 50 : i64} : !x -> !ids
  return
}

// -----

!x = tensor<?x64xf32>

func.func @argmax_c1(%l: !x) {
  // expected-error@+1 {{has other rows than the logits}}
  %y = qwen.argmax %l {eligible = 50 : i64} : !x -> tensor<1xi32>
  return
}

// -----

!x = tensor<?x64xf32>
!ids = tensor<?xi32>

func.func @argmax_c2(%l: !x) {
  // expected-error@+1 {{65 of 64 logits cannot be eligible}}
  %y = qwen.argmax %l {eligible = 65 : i64} : !x -> !ids
  return
}

// -----

!x = tensor<?x64xf32>
!ids = tensor<?xi32>

func.func @argmax_c2(%l: !x) {
  // expected-error@+1 {{0 of 64 logits cannot be eligible}}
  %y = qwen.argmax %l {eligible = 0 : i64} : !x -> !ids
  return
}
