// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!b = !qwen.weight<[32], "f32", "vec">
!head = !qwen.weight<[16], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_rope_append(%c: !cache, %x: !x, %w: !w, %b: !b, %n: !head, %t: !table, %p: index) {
  %0 = qwen.linear_rope_append %c, %x, %w rope %t, %p {heads = 2 : i64} : (!cache, !x, !w, !table, index) -> !cache
  %1 = qwen.linear_rope_append %c, %x, %w bias %b norm %n rope %t, %p {heads = 2 : i64, eps = 1.0e-06 : f64} : (!cache, !x, !w, !b, !head, !table, index) -> !cache
  return
}

// -----

!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!table = !qwen.weight<[128, 16], "f32", "rope">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_rope_append_c1(%c: !cache, %x: !y, %w: !w, %t: !table, %p: index) {
  // expected-error@+1 {{x has width 32, the weight takes 64}}
  %0 = qwen.linear_rope_append %c, %x, %w rope %t, %p {heads = 2 : i64} : (!cache, !y, !w, !table, index) -> !cache
  return
}

// -----

!x = tensor<?x64xf32>
!big = !qwen.weight<[64, 64], "bf16", "stored">
!table = !qwen.weight<[128, 16], "f32", "rope">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_rope_append_c2(%c: !cache, %x: !x, %w: !big, %t: !table, %p: index) {
  // expected-error@+1 {{4 heads in rows of 64 do not fit the cache '!qwen.cache<[128, 2, 16], "f16">'}}
  %0 = qwen.linear_rope_append %c, %x, %w rope %t, %p {heads = 4 : i64} : (!cache, !x, !big, !table, index) -> !cache
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!vec = !qwen.weight<[64], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_rope_append_c3(%c: !cache, %x: !x, %w: !w, %b: !vec, %t: !table, %p: index) {
  // expected-error@+1 {{not a `vec` of 32}}
  %0 = qwen.linear_rope_append %c, %x, %w bias %b rope %t, %p {heads = 2 : i64} : (!cache, !x, !w, !vec, !table, index) -> !cache
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_rope_append_c4(%c: !cache, %x: !x, %w: !w, %t: !qwen.weight<[128, 8], "f32", "rope">, %p: index) {
  // expected-error@+1 {{2 heads of width 8 do not make rows of 32}}
  %0 = qwen.linear_rope_append %c, %x, %w rope %t, %p {heads = 2 : i64} : (!cache, !x, !w, !qwen.weight<[128, 8], "f32", "rope">, index) -> !cache
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!b = !qwen.weight<[32], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_rope_append_c5(%c: !cache, %x: !x, %w: !w, %n: !b, %t: !table, %p: index) {
  // expected-error@+1 {{not a `vec` of 16}}
  %0 = qwen.linear_rope_append %c, %x, %w norm %n rope %t, %p {heads = 2 : i64, eps = 1.0e-06 : f64} : (!cache, !x, !w, !b, !table, index) -> !cache
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!head = !qwen.weight<[16], "f32", "vec">
!table = !qwen.weight<[128, 16], "f32", "rope">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_rope_append_c6(%c: !cache, %x: !x, %w: !w, %n: !head, %t: !table, %p: index) {
  // expected-error@+1 {{eps is given exactly when a norm weight is}}
  %0 = qwen.linear_rope_append %c, %x, %w norm %n rope %t, %p {heads = 2 : i64} : (!cache, !x, !w, !head, !table, index) -> !cache
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!table = !qwen.weight<[128, 16], "f32", "rope">
!cache = !qwen.cache<[128, 2, 16], "f16">
!other = !qwen.cache<[64, 2, 16], "f16">

func.func @linear_rope_append_c7(%c: !cache, %x: !x, %w: !w, %t: !table, %p: index) {
  // expected-error@+1 {{the cache is '!qwen.cache<[128, 2, 16], "f16">', the result '!qwen.cache<[64, 2, 16], "f16">'}}
  %0 = qwen.linear_rope_append %c, %x, %w rope %t, %p {heads = 2 : i64} : (!cache, !x, !w, !table, index) -> !other
  return
}
