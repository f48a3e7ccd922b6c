// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @rope(%x: !x, %t: !table, %p: index) {
  %y = qwen.rope %x, %t, %p {heads = 4 : i64} : !x, !table
  return
}

// -----

!x = tensor<?x64xf32>
!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @rope_c1(%x: !x, %t: !table, %p: index) {
  // expected-error@+1 {{3 heads of width 16 do not make rows of 64}}
  %y = qwen.rope %x, %t, %p {heads = 3 : i64} : !x, !table
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @rope_c1(%x: !x, %t: !w, %p: index) {
  // expected-error@+1 {{not a RoPE table}}
  %y = qwen.rope %x, %t, %p {heads = 1 : i64} : !x, !w
  return
}
