// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

qwen.step @dispatch tokens 0 {
  qwen.dispatch "qk_swiglu__plain__k64_t0__avx2_p8" shared rows tail chunks 2 block 4 counter 0
    in [#qwen.slot<arena, 0 chunk = 128 token = 256 first = 256>, #qwen.slot<scratch, 64 token = 256 position = 4>]
    scalars [#qwen.scalar<tokens>, #qwen.scalar<position>, #qwen.scalar<constant, 5.0e-01 : f32>]
    out [#qwen.slot<arena, 4096 chunk = 128 token = 256>]
}

// -----

qwen.step @dispatch_few tokens 0 {
  qwen.dispatch "qk_many" few "qk_few" shared rows all chunks 2 block 0 counter 0
    in [#qwen.slot<weights, 0 chunk = 128>] scalars [#qwen.scalar<tokens>] out [#qwen.slot<arena, 4096 chunk = 128>]
}

// -----

qwen.step @dispatch_c6 tokens 0 {
  // expected-error@+1 {{has a kernel for few rows and no scalar of rows}}
  qwen.dispatch "qk_many" few "qk_few" shared rows all chunks 2 block 0 counter 0 in [] scalars [#qwen.scalar<position>]
    out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c1 tokens 0 {
  // expected-error@+1 {{`few` is no kernel symbol}}
  qwen.dispatch "qk_many" few "few" shared rows all chunks 2 block 0 counter 0 in [] scalars [#qwen.scalar<tokens>]
    out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c1 tokens 0 {
  // expected-error@+1 {{`swiglu` is no kernel symbol}}
  qwen.dispatch "swiglu" shared rows all chunks 2 block 0 counter 0 in [] scalars [] out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c2 tokens 0 {
  // expected-error@+1 {{has 0 chunks and blocks of 0 rows}}
  qwen.dispatch "qk_x" shared rows all chunks 0 block 0 counter 0 in [] scalars [] out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c2 tokens 0 {
  // expected-error@+1 {{has 1 chunks and blocks of -1 rows}}
  qwen.dispatch "qk_x" shared rows all chunks 1 block -1 counter 0 in [] scalars [] out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c2 tokens 0 {
  // expected-error@+1 {{has spans of -1 positions and blocks of 0 rows}}
  qwen.dispatch "qk_x" shared rows all chunks 1 block 0 span -1 counter 0 in [] scalars [] out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c2 tokens 0 {
  // expected-error@+1 {{has spans of 512 positions and blocks of 8 rows}}
  qwen.dispatch "qk_x" shared rows all chunks 1 block 8 span 512 counter 0 in [] scalars [] out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c3 tokens 0 {
  // expected-error@+1 {{a shared dispatch has counter -1}}
  qwen.dispatch "qk_x" shared rows all chunks 1 block 0 counter -1 in [] scalars [] out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c3 tokens 0 {
  // expected-error@+1 {{a replicated dispatch has counter 0}}
  qwen.dispatch "qk_x" replicated rows all chunks 1 block 0 counter 0 in [] scalars [] out [#qwen.slot<scratch, 0>]
}

// -----

qwen.step @dispatch_c4 tokens 0 {
  // expected-error@+1 {{has no output}}
  qwen.dispatch "qk_x" shared rows all chunks 1 block 0 counter 0 in [] scalars [] out []
}

// -----

qwen.step @dispatch_c4 tokens 0 {
  // expected-error@+1 {{writes to `weights`}}
  qwen.dispatch "qk_x" shared rows all chunks 1 block 0 counter 0 in [] scalars [] out [#qwen.slot<weights, 0>]
}

// -----

qwen.step @dispatch_c5 tokens 0 {
  // expected-error@+1 {{is replicated and writes to `arena`}}
  qwen.dispatch "qk_x" replicated rows all chunks 1 block 0 counter -1 in [] scalars [] out [#qwen.slot<arena, 0>]
}

// -----

qwen.step @dispatch_c5 tokens 0 {
  // expected-error@+1 {{is shared and writes to `scratch`}}
  qwen.dispatch "qk_x" shared rows all chunks 1 block 0 counter 0 in [] scalars [] out [#qwen.slot<scratch, 0>]
}
