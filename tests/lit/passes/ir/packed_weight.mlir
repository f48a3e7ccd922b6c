// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

module @packed_weight {
  qwen.packed_weight "model.norm.weight" at 4096 : !qwen.weight<[64], "f32", "vec">
  qwen.packed_weight "rope_table" at 8192 theta 1.0e+06 : !qwen.weight<[64, 16], "f32", "rope">
}

// -----

module @packed_weight_c1 {
  // expected-error@+1 {{no format has been chosen for `w`}}
  qwen.packed_weight "w" at 0 : !qwen.weight<[64, 64], "bf16", "stored">
}

// -----

module @packed_weight_c2 {
  // expected-error@+1 {{the offset is 32, not a multiple of 64}}
  qwen.packed_weight "w" at 32 : !qwen.weight<[64, 64], "bf16", "panel16">
}

// -----

module @packed_weight_c3 {
  // expected-error@+1 {{theta is given exactly for a RoPE table}}
  qwen.packed_weight "w" at 0 theta 1.0e+06 : !qwen.weight<[64, 64], "bf16", "panel16">
}

// -----

module @packed_weight_c3 {
  // expected-error@+1 {{theta is given exactly for a RoPE table}}
  qwen.packed_weight "rope_table" at 0 : !qwen.weight<[64, 16], "f32", "rope">
}
