// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{a weight's dimensions are positive, got [0, 64]}}
func.func private @weight_type_c1(!qwen.weight<[0, 64], "bf16", "stored">)

// -----

// expected-error@+1 {{`panel8` is no layout; layouts: stored, panel16, vec, rope}}
func.func private @weight_type_c2(!qwen.weight<[32, 64], "bf16", "panel8">)

// -----

// expected-error@+1 {{a weight of layout `vec` has 1 dimensions, got 2}}
func.func private @weight_type_c3(!qwen.weight<[32, 64], "f32", "vec">)

// -----

// expected-error@+1 {{a weight of layout `panel16` has 2 dimensions, got 1}}
func.func private @weight_type_c3(!qwen.weight<[32], "f32", "panel16">)

// -----

// expected-error@+1 {{a weight of layout `vec` cannot have format `bf16`}}
func.func private @weight_type_c4(!qwen.weight<[32], "bf16", "vec">)

// -----

// expected-error@+1 {{a weight of layout `stored` cannot have format ``}}
func.func private @weight_type_c4(!qwen.weight<[32, 64], "", "stored">)

// -----

// expected-error@+1 {{the width of a RoPE table is even, got 15}}
func.func private @weight_type_c5(!qwen.weight<[64, 15], "f32", "rope">)
