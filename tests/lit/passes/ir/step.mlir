// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

qwen.step @decode tokens 1 {
  qwen.barrier
}

// -----

// expected-error@+1 {{has -1 tokens}}
qwen.step @step_c1 tokens -1 {
  qwen.barrier
}

// -----

qwen.step @step_c2 tokens 1 {
  // expected-error@+1 {{is no dispatch, barrier or tap}}
  %t = qwen.rope_table {theta = 1.0e+06 : f64} : !qwen.weight<[64, 16], "f32", "rope">
}
