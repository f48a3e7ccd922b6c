// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!y = tensor<?x32xf32>
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @value_append(%c: !cache, %x: !y, %p: index) {
  %y = qwen.value_append %c, %x, %p : !cache, !y
  return
}

// -----

!x = tensor<?x64xf32>
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @value_append_c1(%c: !cache, %x: !x, %p: index) {
  // expected-error@+1 {{x has width 64, the cache takes 32}}
  %y = qwen.value_append %c, %x, %p : !cache, !x
  return
}
