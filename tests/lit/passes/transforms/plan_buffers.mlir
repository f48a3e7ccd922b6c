// RUN: qwenc-opt %s --qwen-plan-buffers=prefill-chunk=8 | FileCheck %s

!x = tensor<1x64xf32>
!w = !qwen.weight<[64, 64], "f32", "panel16">
!keys = !qwen.cache<[64, 1, 32], "f16">
!vec = !qwen.weight<[64], "f32", "vec">

// Three buffers of 9 rows share two places; the outputs, 16 rows each, come last.
// CHECK: qwen.plan = #qwen.plan<weightsBytes = 16640, cacheBytes = 8192, arenaBytes = 8768, scratchBytes = 2304, counters = 5, prefillChunk = 8, logitsRows = 8, logitsOffset = 4672, logitsStride = 64, argmaxOffset = 4608>
qwen.packed_weight "norm" at 0 : !vec
qwen.packed_weight "w" at 256 : !w

// CHECK-LABEL: qwen.step @decode tokens 1
func.func @decode(%ids: tensor<1xi32>, %position: index, %first: index) -> (!x, tensor<1xi32>) {
  %w = qwen.weight "w" : !w
  %norm = qwen.weight "norm" : !vec
  %keys = qwen.cache key layer 0 : !keys
  %values = qwen.cache value layer 0 : !keys
  // CHECK-NEXT: embedding{{.*}} replicated {{.*}} counter -1 in [#qwen.slot<ids, 0 token = 4>, #qwen.slot<weights, 256>] {{.*}} out [#qwen.slot<scratch, 0 token = 256>]
  %x = qwen.embedding %ids, %w {qwen.kernel = "qk_embedding__f32__k64_n64_t1__avx2_p", qwen.partition = #qwen.partition<replicated, chunks = 1, tokenBlock = 0>} : (tensor<1xi32>, !w) -> !x
  // CHECK-NEXT: linear{{.*}} shared {{.*}} chunks 4 block 0 counter 0 in [#qwen.slot<scratch, 0 token = 256>, #qwen.slot<weights, 256 chunk = 4096>] {{.*}} out [#qwen.slot<arena, 0 chunk = 64 token = 256>]
  %a = qwen.linear %x, %w {qwen.kernel = "qk_linear__f32_f32__k64_n64_m16_t1__avx2_p1x1x1", qwen.partition = #qwen.partition<shared, chunks = 4, tokenBlock = 0>} : (!x, !w) -> !x
  // CHECK-NEXT: qwen.barrier
  qwen.barrier
  // CHECK-NEXT: attention{{.*}} counter 1 in [#qwen.slot<arena, 0 chunk = 256 token = 256>, #qwen.slot<cache, 0 chunk = 4096>, #qwen.slot<cache, 4096 chunk = 4096>] scalars [#qwen.scalar<tokens>, #qwen.scalar<position>] out [#qwen.slot<arena, 2304 chunk = 256 token = 256>]
  %b = qwen.attention %a, %keys, %values, %position {heads = 2 : i64, qwen.kernel = "qk_attention__f16__h2_r2_c32_s64_t1__avx2_p1x1x0", qwen.partition = #qwen.partition<shared, chunks = 1, tokenBlock = 0>} : !x, !keys, !keys
  qwen.barrier
  // The first buffer is free again: a barrier lies between its last reader and this writer.
  // CHECK: linear{{.*}} counter 2 in [#qwen.slot<arena, 2304 token = 256>, {{.*}} out [#qwen.slot<arena, 0 chunk = 64 token = 256>]
  %c = qwen.linear %b, %w {qwen.kernel = "qk_linear__f32_f32__k64_n64_m16_t1__avx2_p1x1x1", qwen.partition = #qwen.partition<shared, chunks = 4, tokenBlock = 0>} : (!x, !w) -> !x
  qwen.barrier
  // CHECK: linear{{.*}} rows all {{.*}} counter 3 in {{.*}} out [#qwen.slot<arena, 4672 chunk = 64 token = 256>]
  %logits = qwen.linear %c, %w {qwen.kernel = "qk_linear__f32_f32__k64_n64_m16_t1__avx2_p1x1x1", qwen.partition = #qwen.partition<shared, chunks = 4, tokenBlock = 0>} : (!x, !w) -> !x
  qwen.barrier
  // CHECK: argmax{{.*}} counter 4 in [#qwen.slot<arena, 4672 token = 256>] {{.*}} out [#qwen.slot<arena, 4608 token = 4>]
  %tokens = qwen.argmax %logits {eligible = 60 : i64, qwen.kernel = "qk_argmax__plain__v60_n64_t1__avx2_p", qwen.partition = #qwen.partition<shared, chunks = 1, tokenBlock = 0>} : !x -> tensor<1xi32>
  return %logits, %tokens : !x, tensor<1xi32>
}
