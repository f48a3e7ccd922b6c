// RUN: qwenc-opt %s "--qwen-plan-buffers=prefill-chunk=8 taps=true" | FileCheck %s

!x = tensor<?x64xf32>
!w = !qwen.weight<[64, 64], "f32", "panel16">
!keys = !qwen.cache<[64, 1, 64], "f16">
#all = #qwen.partition<shared, chunks = 4, tokenBlock = 0>
#one = #qwen.partition<shared, chunks = 1, tokenBlock = 0>

qwen.packed_weight "w" at 0 : !w

// The third buffer does not take the place of the first.
// CHECK-LABEL: qwen.step @prefill
func.func @prefill(%ids: tensor<?xi32>, %position: index, %first: index) -> !x {
  %w = qwen.weight "w" : !w
  %keys = qwen.cache key layer 0 : !keys
  // CHECK: qwen.tap "embed" of "qk_embedding{{.*}}" rows all at [#qwen.slot<arena, 0 token = 256>] : tensor<?x64xf32>
  %x = qwen.embedding %ids, %w {qwen.kernel = "qk_embedding__f32__k64_n64_t0__avx2_p", qwen.partition = #one} : (tensor<?xi32>, !w) -> !x loc("embed")
  qwen.barrier
  // CHECK: qwen.tap "embed.quantized" {{.*}} at [#qwen.slot<arena, {{[0-9]+}} token = 64>, #qwen.slot<arena, {{[0-9]+}} token = 64>, #qwen.slot<arena, {{[0-9]+}} token = 64>] : !qwen.act<64, "q8g32">
  %q = qwen.quantize %x {qwen.kernel = "qk_quantize__plain__k64_t0__avx2_p", qwen.partition = #one} : !x -> !qwen.act<64, "q8g32"> loc("other")
  qwen.barrier
  // CHECK: qwen.tap "a" of "qk_linear{{.*}}" rows all at [#qwen.slot<arena, {{[1-9][0-9]*}} token = 256>] : tensor<?x64xf32>
  %a = qwen.linear %x, %w {qwen.kernel = "qk_linear__f32_f32__k64_n64_m16_t0__avx2_p1x1x1", qwen.partition = #all} : (!x, !w) -> !x loc("a")
  qwen.barrier
  // CHECK: qwen.tap "b" of "qk_linear{{.*}}" rows all at [#qwen.slot<arena, {{[1-9][0-9]*}} token = 256>] : tensor<?x64xf32>
  %b = qwen.linear %a, %w {qwen.kernel = "qk_linear__f32_f32__k64_n64_m16_t0__avx2_p1x1x1", qwen.partition = #all} : (!x, !w) -> !x loc("b")
  qwen.barrier
  // CHECK: qwen.tap "keys" of "qk_key_append{{.*}}" rows all at [#qwen.slot<cache, 0>] cache key : !qwen.cache<[64, 1, 64], "f16">
  %k = qwen.key_append %keys, %b, %position {qwen.kernel = "qk_key_append__f16__g1_c64_s64_t0__avx2_p", qwen.partition = #one} : !keys, !x loc("keys")
  return %b : !x
}
