// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!ids = tensor<?xi32>

func.func @embedding(%ids: !ids, %w: !w) {
  %y = qwen.embedding %ids, %w : (!ids, !w) -> !x
  return
}

// -----

!x = tensor<?x64xf32>
!vec = !qwen.weight<[64], "f32", "vec">
!ids = tensor<?xi32>

func.func @embedding_c1(%ids: !ids, %w: !vec) {
  // expected-error@+1 {{not a matrix}}
  %y = qwen.embedding %ids, %w : (!ids, !vec) -> !x
  return
}

// -----

!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!ids = tensor<?xi32>

func.func @embedding_c2(%ids: !ids, %w: !w) {
  // expected-error@+1 {{the result has width 32, not 64}}
  %y = qwen.embedding %ids, %w : (!ids, !w) -> !y
  return
}

// -----

!big = !qwen.weight<[64, 64], "bf16", "stored">
!ids = tensor<?xi32>

func.func @embedding_c2(%ids: !ids, %w: !big) {
  // expected-error@+1 {{has other rows than the operand 'tensor<?xi32>'}}
  %y = qwen.embedding %ids, %w : (!ids, !big) -> tensor<1x64xf32>
  return
}
