// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

func.func @weight() {
  %w = qwen.weight "model.norm.weight" : !qwen.weight<[64], "f32", "vec">
  return
}

// -----

func.func @weight_c1() {
  // expected-error@+1 {{the name is empty}}
  %w = qwen.weight "" : !qwen.weight<[64], "f32", "vec">
  return
}

// -----

!table = !qwen.weight<[128, 16], "f32", "rope">

func.func @weight_c2() {
  // expected-error@+1 {{a RoPE table is computed, not stored}}
  %w = qwen.weight "table" : !table
  return
}
