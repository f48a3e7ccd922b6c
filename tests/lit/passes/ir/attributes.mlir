// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{a partition has at least one chunk and no negative token block, got 0 and 0}}
func.func private @partition_c1() attributes {test = #qwen.partition<shared, chunks = 0, tokenBlock = 0>}

// -----

// expected-error@+1 {{a partition has no negative span, and none beside token blocks, got 512 and blocks of 8}}
func.func private @partition_c1() attributes {test = #qwen.partition<shared, chunks = 1, tokenBlock = 8, span = 512>}

// -----

// expected-error@+1 {{a slot's offset and strides are not negative, got -8}}
func.func private @slot_c1() attributes {test = #qwen.slot<arena, 0 span = -8>}

// -----

// expected-error@+1 {{a slot's offset and strides are not negative, got -4}}
func.func private @slot_c1() attributes {test = #qwen.slot<arena, 0 token = -4>}

// -----

// expected-error@+1 {{a slot of `ids` has offset 0 and no chunk stride, got 4 and 0}}
func.func private @slot_c2() attributes {test = #qwen.slot<ids, 4 token = 4>}

// -----

// expected-error@+1 {{an f32 value is given exactly for a `constant`}}
func.func private @scalar_c1() attributes {test = #qwen.scalar<tokens, 1.0 : f32>}

// -----

// expected-error@+1 {{an f32 value is given exactly for a `constant`}}
func.func private @scalar_c1() attributes {test = #qwen.scalar<constant, 1.0 : f64>}

// -----

func.func private @plan_c1() attributes {
  // expected-error@+1 {{a plan's numbers are not negative, got -1}}
  test = #qwen.plan<weightsBytes = 0, cacheBytes = -1, arenaBytes = 64, scratchBytes = 0, counters = 0, prefillChunk = 1,
                    logitsRows = 1, logitsOffset = 0, logitsStride = 8, argmaxOffset = 32>}

// -----

func.func private @plan_c2() attributes {
  // expected-error@+1 {{logits at 0 and tokens at 32 do not fit in an arena of 32 bytes}}
  test = #qwen.plan<weightsBytes = 0, cacheBytes = 0, arenaBytes = 32, scratchBytes = 0, counters = 0, prefillChunk = 1,
                    logitsRows = 1, logitsOffset = 0, logitsStride = 8, argmaxOffset = 32>}

// -----

// What the dialect's attributes may stand on.

func.func @kernel_of_add(%a: tensor<?x64xf32>) {
  %y = qwen.add %a, %a {qwen.kernel = "qk_add__plain__k64_t0__avx2_p8"} : tensor<?x64xf32>
  return
}

// -----

func.func @kernel_is_no_symbol(%a: tensor<?x64xf32>) {
  // expected-error@+1 {{`qwen.kernel` is "add", not a kernel symbol}}
  %y = qwen.add %a, %a {qwen.kernel = "add"} : tensor<?x64xf32>
  return
}

// -----

func.func @few_kernel_is_no_symbol(%a: tensor<?x64xf32>) {
  // expected-error@+1 {{`qwen.few_kernel` is "add", not a kernel symbol}}
  %y = qwen.add %a, %a {qwen.few_kernel = "add"} : tensor<?x64xf32>
  return
}

// -----

func.func @kernel_of_tail(%a: tensor<?x64xf32>, %first: index) {
  // expected-error@+1 {{carries `qwen.kernel` but no kernel does it}}
  %y = qwen.tail %a, %first {qwen.kernel = "qk_add__plain__k64_t0__avx2_p8"} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @partition_of_another_kind(%a: tensor<?x64xf32>) {
  // expected-error@+1 {{`qwen.partition` is 4 : i64, not a partition}}
  %y = qwen.add %a, %a {qwen.partition = 4 : i64} : tensor<?x64xf32>
  return
}

// -----

// expected-error@+1 {{`qwen.plan` holds a plan and stands on a module}}
func.func private @plan_on_function() attributes {qwen.plan = 1 : i64}

// -----

// expected-error@+1 {{`qwen.schedule` is no attribute of the dialect}}
func.func private @unknown() attributes {qwen.schedule = 1 : i64}
