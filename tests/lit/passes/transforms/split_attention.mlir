// RUN: qwenc-opt %s --qwen-split-attention | FileCheck %s
// RUN: qwenc-opt %s --qwen-split-attention=kv-split=2 | FileCheck %s
// RUN: qwenc-opt %s --qwen-split-attention=kv-split=1 | FileCheck %s --check-prefix=WHOLE
// RUN: qwenc-opt %s --qwen-split-attention=kv-split=2 -mlir-print-debuginfo -mlir-print-local-scope | FileCheck %s --check-prefix=NAMES
// RUN: qwenc-opt %s --qwen-split-attention=kv-split=2 --qwen-select-kernels=target=avx2 --qwen-partition | FileCheck %s --check-prefix=CUT
// RUN: qwenc-opt %s --qwen-split-attention=kv-split=2 --qwen-select-kernels=target=avx2 --qwen-partition --qwen-plan-buffers | FileCheck %s --check-prefix=PLAN

!row = tensor<1x128xf32>
!rows = tensor<?x128xf32>
!long = !qwen.cache<[576, 2, 32], "int8">
!short = !qwen.cache<[512, 2, 32], "f16">

// WHOLE-NOT: attention_span
// WHOLE-COUNT-3: qwen.attention %

// Two spans, the second one short: 2 x 4 heads x (32 + 16).
// CHECK-LABEL: func.func @decode
// CHECK: %[[PARTS:.*]] = qwen.attention_span %{{.*}}, %{{.*}}, %{{.*}}, %[[POSITION:.*]] {heads = 4 : i64} : tensor<1x128xf32>, {{.*}} -> tensor<1x384xf32>
// CHECK-NEXT: %[[Y:.*]] = qwen.attention_merge %[[PARTS]], %[[POSITION]] {heads = 4 : i64} : tensor<1x384xf32> -> tensor<1x128xf32>
// CHECK: qwen.attention %{{.*}} : tensor<1x128xf32>, {{.*}}<[512, 2, 32], "f16">
// NAMES: qwen.attention_span {{.*}} loc("attention.spans"("attention"
// NAMES-NEXT: qwen.attention_merge {{.*}} loc("attention"

// The spans' chunks are shared, the merging is every thread's own: one barrier, as before.
// CUT-LABEL: func.func @decode
// CUT: qwen.attention_span {{.*}}kernel = "qk_attention_span__int8__h4_r2_c32_p48_s512_t1__avx2_{{.*}}", qwen.partition = #qwen.partition<shared, chunks = 2, tokenBlock = 0, span = 512>
// CUT-NEXT: qwen.barrier
// CUT-NEXT: qwen.attention_merge {{.*}}kernel = "qk_attention_merge__plain__h4_c32_p48_n2_t1__avx2_p", qwen.partition = #qwen.partition<replicated, chunks = 1, tokenBlock = 0>
// CUT-NOT: qwen.barrier
// CUT: qwen.attention %

// A head's bytes of 576 positions lie between chunks, those of 512 between spans; a part has 48 values.
// PLAN-LABEL: qwen.step @decode tokens 1
// PLAN: attention_span{{.*}} shared rows all chunks 2 block 0 span 512 counter 0
// PLAN-SAME: in [{{[^]]*}}#qwen.slot<cache, 0 chunk = 13824 span = 12288>, #qwen.slot<cache, 27648 chunk = 9216 span = 8192>, #qwen.slot<cache, 46080 chunk = 2304 span = 2048>, #qwen.slot<cache, 50688 chunk = 18432 span = 16384>, #qwen.slot<cache, 87552 chunk = 2304 span = 2048>]
// PLAN-SAME: out [#qwen.slot<arena, {{[0-9]+}} chunk = 384 token = 1536 span = 768>]
// PLAN: attention_merge{{.*}} replicated {{.*}} block 0 counter -1
func.func @decode(%q: !row, %position: index) -> !row {
  %k = qwen.cache key layer 0 : !long
  %v = qwen.cache value layer 0 : !long
  %y = qwen.attention %q, %k, %v, %position {heads = 4 : i64} : !row, !long, !long loc("attention")
  // A context of one span.
  %k1 = qwen.cache key layer 1 : !short
  %v1 = qwen.cache value layer 1 : !short
  %z = qwen.attention %y, %k1, %v1, %position {heads = 4 : i64} : !row, !short, !short
  return %z : !row
}

// Many rows keep all of the team busy.
// CHECK-LABEL: func.func @prefill
// CHECK-NOT: qwen.attention_span
// CHECK: qwen.attention %
func.func @prefill(%q: !rows, %position: index) -> !rows {
  %k = qwen.cache key layer 0 : !long
  %v = qwen.cache value layer 0 : !long
  %y = qwen.attention %q, %k, %v, %position {heads = 4 : i64} : !rows, !long, !long
  return %y : !rows
}
