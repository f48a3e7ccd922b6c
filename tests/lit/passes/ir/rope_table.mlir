// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @rope_table() {
  %t = qwen.rope_table {theta = 1.0e+06 : f64} : !table
  return
}

// -----

!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @rope_table_c1() {
  // expected-error@+1 {{not a RoPE table}}
  %t = qwen.rope_table {theta = 1.0e+06 : f64} : !w
  return
}

// -----

!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @rope_table_c2() {
  // expected-error@+1 {{theta is 0.000000e+00, not positive and finite}}
  %t = qwen.rope_table {theta = 0.0 : f64} : !table
  return
}

// -----

!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @rope_table_c2() {
  // expected-error@+1 {{not positive and finite}}
  %t = qwen.rope_table {theta = 0x7FF0000000000000 : f64} : !table
  return
}
