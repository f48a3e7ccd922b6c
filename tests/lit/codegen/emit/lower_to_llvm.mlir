// REQUIRES: qwenc
// RUN: qwenc compile %s --emit=llvm --target avx2 | FileCheck %s

module attributes {qwen.plan = #qwen.plan<weightsBytes = 128, cacheBytes = 0, arenaBytes = 4096, scratchBytes = 1024,
    counters = 2, prefillChunk = 8, logitsRows = 8, logitsOffset = 0, logitsStride = 16, argmaxOffset = 2048>} {
  qwen.packed_weight "w" at 64 : !qwen.weight<[16], "f32", "vec">

  // A thread's own dispatch of one call is just that; a shared one claims chunks until none is left.
  // CHECK-LABEL: llvm.func internal @decode(
  // CHECK: llvm.call @call.qk_add__plain__k16_t1__avx2_p
  qwen.step @decode tokens 1 {
    qwen.dispatch "qk_add__plain__k16_t1__avx2_p" replicated rows all chunks 1 block 0 counter -1
      in [#qwen.slot<arena, 0>, #qwen.slot<weights, 64>] scalars [#qwen.scalar<tokens>] out [#qwen.slot<scratch, 0>]
    // CHECK: llvm.br ^[[HEAD:bb[0-9]+]]
    // CHECK: ^[[HEAD]]:
    // CHECK: %[[I:.*]] = llvm.atomicrmw add %{{.*}}, %{{.*}} monotonic : !llvm.ptr, i64
    // CHECK: %[[MORE:.*]] = llvm.icmp "ult" %[[I]]
    // CHECK: llvm.cond_br %[[MORE]], ^[[BODY:bb[0-9]+]], ^[[NEXT:bb[0-9]+]]
    // CHECK: ^[[BODY]]:
    // CHECK: llvm.mul %[[I]], %{{.*}} : i64
    // CHECK: llvm.call @call.qk_linear
    // CHECK: llvm.br ^[[HEAD]]
    // CHECK: ^[[NEXT]]:
    qwen.dispatch "qk_linear__f32_f32__k16_n64_m16_t1__avx2_p1x1x1" shared rows all chunks 4 block 0 counter 1
      in [#qwen.slot<scratch, 0>, #qwen.slot<weights, 0 chunk = 1024>] scalars [#qwen.scalar<tokens>]
      out [#qwen.slot<arena, 512 chunk = 64>]
    // CHECK: llvm.call %{{.*}}(%{{.*}}, %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64) -> ()
    // CHECK: llvm.return
    qwen.barrier
  }

  // The wrapper hands the kernel descriptors of which only `host` is set.
  // CHECK: llvm.func @qk_add__plain__k16_t1__avx2_p(!llvm.ptr, !llvm.ptr, i32, !llvm.ptr) -> i32
  // CHECK: llvm.func internal @call.qk_add__plain__k16_t1__avx2_p(%[[A:.*]]: !llvm.ptr, %{{.*}}: !llvm.ptr, %[[T:.*]]: i32, %{{.*}}: !llvm.ptr) attributes {no_inline}
  // CHECK: %[[BUFFER:.*]] = llvm.alloca
  // CHECK-NOT: llvm.store
  // CHECK: %[[HOST:.*]] = llvm.getelementptr %[[BUFFER]][0, 2]
  // CHECK: llvm.store %[[A]], %[[HOST]]
  // CHECK: llvm.call @qk_add__plain__k16_t1__avx2_p(%[[BUFFER]], %{{.*}}, %[[T]], %{{.*}})

  // Blocks of rows of the tail: as many as the rows beyond `first` need, the last one shorter.
  // CHECK-LABEL: llvm.func internal @prefill(
  // CHECK: %[[ROWS:.*]] = llvm.sub
  // CHECK: llvm.udiv
  // CHECK: llvm.urem
  // CHECK: %[[LEFT:.*]] = llvm.sub %[[ROWS]]
  // CHECK: llvm.intr.umin(%[[LEFT]]
  qwen.step @prefill tokens 0 {
    qwen.dispatch "qk_add__plain__k16_t0__avx2_p" shared rows tail chunks 2 block 4 counter 0
      in [#qwen.slot<arena, 0 token = 64 first = 64>, #qwen.slot<weights, 64 position = 64>]
      scalars [#qwen.scalar<position>] out [#qwen.slot<arena, 1024 chunk = 32 token = 64>]
    // Spans of the positions that the rows see; the position counts from the span's start.
    // CHECK: llvm.udiv
    // CHECK: llvm.atomicrmw
    // CHECK: %[[SPAN:.*]] = llvm.udiv
    // CHECK: llvm.urem
    // CHECK: llvm.mul %[[SPAN]], %{{.*}} : i64
    // CHECK: %[[START:.*]] = llvm.mul %[[SPAN]], %{{.*}} : i64
    // CHECK-NEXT: llvm.sub %{{.*}}, %[[START]]
    qwen.dispatch "qk_add__plain__k16_t1__avx2_p" shared rows all chunks 2 block 0 span 512 counter 1
      in [#qwen.slot<arena, 0 span = 64>, #qwen.slot<weights, 64>]
      scalars [#qwen.scalar<position>] out [#qwen.slot<arena, 1024 chunk = 32 span = 64>]
  }

  // CHECK: llvm.mlir.global external constant @qwen_model_plan()
  // CHECK: llvm.mlir.addressof @decode
  // CHECK: llvm.mlir.addressof @prefill
}
