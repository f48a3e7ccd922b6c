// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<1x64xf32>
!cache = !qwen.cache<[576, 2, 16], "f16">
!parts = tensor<1x256xf32>

func.func @attention_span(%q: !x, %k: !cache, %v: !cache, %p: index) {
  %y = qwen.attention_span %q, %k, %v, %p {heads = 4 : i64} : !x, !cache, !cache -> !parts
  return
}

// -----

!x = tensor<1x64xf32>
!cache = !qwen.cache<[576, 2, 16], "f16">
!other = !qwen.cache<[640, 2, 16], "f16">
!parts = tensor<1x256xf32>

func.func @attention_span_c1(%q: !x, %k: !cache, %v: !other, %p: index) {
  // expected-error@+1 {{keys are '!qwen.cache<[576, 2, 16], "f16">', values '!qwen.cache<[640, 2, 16], "f16">'}}
  %y = qwen.attention_span %q, %k, %v, %p {heads = 4 : i64} : !x, !cache, !other -> !parts
  return
}

// -----

!x = tensor<1x64xf32>
!cache = !qwen.cache<[576, 2, 16], "f16">
!parts = tensor<1x256xf32>

func.func @attention_span_c2(%q: !x, %k: !cache, %v: !cache, %p: index) {
  // expected-error@+1 {{2 heads of width 16 do not make rows of 64}}
  %y = qwen.attention_span %q, %k, %v, %p {heads = 2 : i64} : !x, !cache, !cache -> !parts
  return
}

// -----

!x = tensor<?x64xf32>
!cache = !qwen.cache<[576, 2, 16], "f16">
!parts = tensor<1x256xf32>

func.func @attention_span_c2(%q: !x, %k: !cache, %v: !cache, %p: index) {
  // expected-error@+1 {{q is 'tensor<?x64xf32>', not one row}}
  %y = qwen.attention_span %q, %k, %v, %p {heads = 4 : i64} : !x, !cache, !cache -> !parts
  return
}

// -----

!x = tensor<1x48xf32>
!cache = !qwen.cache<[576, 2, 16], "f16">
!parts = tensor<1x192xf32>

func.func @attention_span_c3(%q: !x, %k: !cache, %v: !cache, %p: index) {
  // expected-error@+1 {{3 query heads cannot share 2 key/value heads}}
  %y = qwen.attention_span %q, %k, %v, %p {heads = 3 : i64} : !x, !cache, !cache -> !parts
  return
}

// -----

!x = tensor<1x64xf32>
!cache = !qwen.cache<[576, 2, 16], "f16">
!parts = tensor<1x128xf32>

func.func @attention_span_c4(%q: !x, %k: !cache, %v: !cache, %p: index) {
  // expected-error@+1 {{the result has width 128, not 256}}
  %y = qwen.attention_span %q, %k, %v, %p {heads = 4 : i64} : !x, !cache, !cache -> !parts
  return
}

// -----

!x = tensor<1x64xf32>
!cache = !qwen.cache<[576, 2, 16], "f16">
!parts = tensor<2x256xf32>

func.func @attention_span_c4(%q: !x, %k: !cache, %v: !cache, %p: index) {
  // expected-error@+1 {{the result is 'tensor<2x256xf32>', not one row}}
  %y = qwen.attention_span %q, %k, %v, %p {heads = 4 : i64} : !x, !cache, !cache -> !parts
  return
}
