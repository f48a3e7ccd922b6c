// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!b = !qwen.weight<[32], "f32", "vec">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_append(%c: !cache, %x: !x, %w: !w, %b: !b, %p: index) {
  %0 = qwen.linear_append %c, %x, %w at %p : (!cache, !x, !w, index) -> !cache
  %1 = qwen.linear_append %c, %x, %w bias %b at %p : (!cache, !x, !w, !b, index) -> !cache
  return
}

// -----

!y = tensor<?x32xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_append_c1(%c: !cache, %x: !y, %w: !w, %p: index) {
  // expected-error@+1 {{x has width 32, the weight takes 64}}
  %0 = qwen.linear_append %c, %x, %w at %p : (!cache, !y, !w, index) -> !cache
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!wide = !qwen.cache<[128, 2, 32], "f16">

func.func @linear_append_c2(%c: !wide, %x: !x, %w: !w, %p: index) {
  // expected-error@+1 {{rows of 32 do not fit the cache}}
  %0 = qwen.linear_append %c, %x, %w at %p : (!wide, !x, !w, index) -> !wide
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!vec = !qwen.weight<[64], "f32", "vec">
!cache = !qwen.cache<[128, 2, 16], "f16">

func.func @linear_append_c3(%c: !cache, %x: !x, %w: !w, %b: !vec, %p: index) {
  // expected-error@+1 {{not a `vec` of 32}}
  %0 = qwen.linear_append %c, %x, %w bias %b at %p : (!cache, !x, !w, !vec, index) -> !cache
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">
!cache = !qwen.cache<[128, 2, 16], "f16">
!other = !qwen.cache<[64, 2, 16], "f16">

func.func @linear_append_c4(%c: !cache, %x: !x, %w: !w, %p: index) {
  // expected-error@+1 {{the result '!qwen.cache<[64, 2, 16], "f16">'}}
  %0 = qwen.linear_append %c, %x, %w at %p : (!cache, !x, !w, index) -> !other
  return
}
