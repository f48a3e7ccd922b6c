// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

qwen.step @tap tokens 1 {
  qwen.tap "norm.quantized" of "qk_quantize__plain__k64_t1__avx2_p" rows tail at [#qwen.slot<arena, 0 token = 64>, #qwen.slot<arena, 64 token = 64>, #qwen.slot<arena, 128 token = 64>] : !qwen.act<64, "q8g32">
  qwen.tap "keys" of "qk_key_append__f16__g1_c64_s64_t1__avx2_p" rows all at [#qwen.slot<cache, 0>] cache key : !qwen.cache<[64, 1, 64], "f16">
  qwen.tap "values" of "qk_value_append__int8__g1_c64_s64_t1__avx2_p" rows all at [#qwen.slot<cache, 0>, #qwen.slot<cache, 4096>] cache value : !qwen.cache<[64, 1, 64], "int8">
}

// -----

qwen.step @tap_c1 tokens 1 {
  // expected-error@+1 {{has 1 slots, not 3}}
  qwen.tap "norm.quantized" of "qk_quantize__plain__k64_t1__avx2_p" rows all at [#qwen.slot<arena, 0 token = 64>] : !qwen.act<64, "q8g32">
}

// -----

qwen.step @tap_c1 tokens 1 {
  // expected-error@+1 {{has 1 slots, not 3}}
  qwen.tap "keys" of "qk_key_append__int8__g1_c64_s64_t1__avx2_p" rows all at [#qwen.slot<cache, 0>] cache key : !qwen.cache<[64, 1, 64], "int8">
}

// -----

qwen.step @tap_c2 tokens 1 {
  // expected-error@+1 {{reads `weights`, which no op writes}}
  qwen.tap "mlp" of "qk_swiglu__plain__k64_t1__avx2_p8" rows all at [#qwen.slot<weights, 0 token = 256>] : tensor<1x64xf32>
}

// -----

qwen.step @tap_c3 tokens 1 {
  // expected-error@+1 {{the kind is given exactly for a cache}}
  qwen.tap "mlp" of "qk_swiglu__plain__k64_t1__avx2_p8" rows all at [#qwen.slot<scratch, 0 token = 256>] cache key : tensor<1x64xf32>
}
