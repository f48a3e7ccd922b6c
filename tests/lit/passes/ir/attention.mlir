// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @attention(%q: !x, %k: !cache, %v: !cache, %p: index) {
  %y = qwen.attention %q, %k, %v, %p {heads = 4 : i64} : !x, !cache, !cache
  return
}

// -----

!x = tensor<?x64xf32>
!cache = !qwen.cache<[128, 2, 16], "f16">
!other = !qwen.cache<[64, 2, 16], "f16">

func.func @attention_c1(%q: !x, %k: !cache, %v: !other, %p: index) {
  // expected-error@+1 {{keys are '!qwen.cache<[128, 2, 16], "f16">', values '!qwen.cache<[64, 2, 16], "f16">'}}
  %y = qwen.attention %q, %k, %v, %p {heads = 4 : i64} : !x, !cache, !other
  return
}

// -----

!x = tensor<?x64xf32>
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @attention_c2(%q: !x, %k: !cache, %v: !cache, %p: index) {
  // expected-error@+1 {{2 heads of width 16 do not make rows of 64}}
  %y = qwen.attention %q, %k, %v, %p {heads = 2 : i64} : !x, !cache, !cache
  return
}

// -----

!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @attention_c3(%q: tensor<?x48xf32>, %k: !cache, %v: !cache, %p: index) {
  // expected-error@+1 {{3 query heads cannot share 2 key/value heads}}
  %y = qwen.attention %q, %k, %v, %p {heads = 3 : i64} : tensor<?x48xf32>, !cache, !cache
  return
}
