// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @cache() {
  %k = qwen.cache key layer 3 : !cache
  return
}

// -----

!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @cache_c1() {
  // expected-error@+1 {{the layer is -1}}
  %k = qwen.cache value layer -1 : !cache
  return
}
