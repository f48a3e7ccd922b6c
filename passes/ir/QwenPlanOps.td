// QwenPlanOps.td - the planned program: kernel calls over memory, and where each weight lies.
#ifndef QWEN_PLAN_OPS_TD
#define QWEN_PLAN_OPS_TD

include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "passes/ir/QwenAttrs.td"
include "passes/ir/QwenTypes.td"

def Qwen_SlotArrayAttr : TypedArrayAttrBase<Qwen_SlotAttr, "array of slots">;
def Qwen_ScalarArrayAttr : TypedArrayAttrBase<Qwen_ScalarAttr, "array of scalars">;

def Qwen_BarrierOp : Qwen_Op<"barrier"> {
  let summary = "every thread of the team arrives before any goes on";
  let description = [{
    Stands between ops of a scheduled function and between dispatches of a step. It has effects on purpose: nothing moves
    over it.

    ```mlir
    qwen.barrier
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Qwen_StepOp : Qwen_Op<"step", [IsolatedFromAbove, Symbol, SingleBlock, NoTerminator]> {
  let summary = "a planned step function: what every thread of the team runs";
  let description = [{
    The body is a sequence of dispatches and barriers, and of taps where they are asked for. `tokens` is T when it is compiled in (1), or 0 when T is an argument.
    The symbol is the function's name in the object; its type is `qwen_step_fn` of the runtime's C ABI.

    Constraints:
    * (C1) tokens is not negative.
    * (C2) the body holds only `qwen.dispatch`, `qwen.barrier` and `qwen.tap`.

    ```mlir
    qwen.step @decode tokens 1 {
      qwen.barrier
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Qwen_I64Attr:$tokens);  // step_c1
  let regions = (region SizedRegion<1>:$body);                      // step_c2
  let assemblyFormat = "$sym_name `tokens` $tokens attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Qwen_DispatchOp : Qwen_Op<"dispatch", [HasParent<"StepOp">]> {
  let summary = "one kernel over all chunks and blocks of rows";
  let description = [{
    The rows are the step's T, or its last `T - first` when `rows` is `tail`. They are cut into blocks of `token_block`
    (0: one block of them all). The calls are chunks × blocks, the block of call i being `i / chunks`, its chunk
    `i % chunks`; there is none when there are no rows. With `span` the positions that the rows see, 0 .. position + T - 1,
    are cut into spans, and the calls are chunks × spans in the same order. `shared`: each thread claims the next i from counter cell `counter`
    until none is left. `replicated`: each thread makes all calls.

    A call of up to 16 rows is done by the kernel after `few`, where there is one: the same arguments, the same results.

    A call's arguments, in the kernel's order: pointers of `inputs`, `scalars`, pointers of `outputs`; an operand of
    several planes is several slots. See `#qwen.slot` and `#qwen.scalar` for their meaning.

    Constraints:
    * (C1) the symbols of the kernels start with `qk_`.
    * (C2) chunks is positive; token_block and span are not negative, and one of them is 0.
    * (C3) counter is a cell (not negative) when shared, -1 when replicated.
    * (C4) there is an output, and none in `weights` or `ids`.
    * (C5) a replicated dispatch writes only `scratch`, a shared one never does.
    * (C6) with `few`, the rows of a call are among its scalars.

    ```mlir
    qwen.step @decode tokens 1 {
      qwen.dispatch "qk_add__plain__k896_t1__avx512_p16" replicated rows all chunks 1 block 0 counter -1
        in [#qwen.slot<arena, 0 token = 3584>, #qwen.slot<arena, 3584 token = 3584>] scalars [#qwen.scalar<tokens>]
        out [#qwen.slot<scratch, 0 token = 3584>]
    }
    ```
  }];
  let arguments = (ins StrAttr:$kernel,             // dispatch_c1
                       OptionalAttr<StrAttr>:$few_kernel,  // dispatch_c1, dispatch_c6
                       Qwen_ModeAttr:$mode,         // dispatch_c3, dispatch_c5
                       Qwen_RowRangeAttr:$rows,
                       Qwen_I64Attr:$chunks,             // dispatch_c2
                       Qwen_I64Attr:$token_block,        // dispatch_c2
                       DefaultValuedAttr<Qwen_I64Attr, "0">:$span,  // dispatch_c2
                       Qwen_I64Attr:$counter,            // dispatch_c3
                       Qwen_SlotArrayAttr:$inputs,
                       Qwen_ScalarArrayAttr:$scalars,
                       Qwen_SlotArrayAttr:$outputs);  // dispatch_c4, dispatch_c5
  let assemblyFormat = [{
    $kernel (`few` $few_kernel^)? $mode `rows` $rows `chunks` $chunks `block` $token_block (`span` $span^)?
    `counter` $counter
    `in` $inputs `scalars` $scalars `out` $outputs attr-dict
  }];
  let extraClassDeclaration = [{
    /// Which of the scalars is the number of rows; nothing when none is.
    std::optional<size_t> rowsScalar();
  }];
  let hasVerifier = 1;
}

def Qwen_TapOp : Qwen_Op<"tap", [HasParent<"StepOp">]> {
  let summary = "where the result of an op lies when the step ends";
  let description = [{
    Stands after the dispatch that computes the result, in a build whose buffers are never used twice. It computes nothing:
    the executable's table of taps is made of these ops. `type` is that of the result; a cache holds the rows that the op
    appends among those of earlier steps.

    Constraints:
    * (C1) there are three slots (values, scales, sums) for quantised rows, one for each plane of a cache, else one.
    * (C2) no slot is in `weights` or `ids`.
    * (C3) the kind is given exactly for a cache.

    ```mlir
    qwen.step @decode tokens 1 {
      qwen.tap "model.layers.3.mlp" of "qk_swiglu__plain__k896_t1__avx2_p8" rows all at [#qwen.slot<scratch, 0 token = 3584>] : tensor<1x896xf32>
    }
    ```
  }];
  let arguments = (ins StrAttr:$name,
                       StrAttr:$kernel,
                       Qwen_RowRangeAttr:$rows,
                       Qwen_SlotArrayAttr:$places,  // tap_c1, tap_c2
                       OptionalAttr<Qwen_CacheKindAttr>:$cache,  // tap_c3
                       TypeAttr:$type);             // tap_c1, tap_c3
  let assemblyFormat = "$name `of` $kernel `rows` $rows `at` $places (`cache` $cache^)? `:` $type attr-dict";
  let hasVerifier = 1;
}

def Qwen_PackedWeightOp : Qwen_Op<"packed_weight"> {
  let summary = "a parameter's place in the weights file";
  let description = [{
    Stands in a planned module, one for each distinct weight, in the order of their offsets. `offset` is where its first
    plane starts in the tensor section; its other streams of planes follow, each at the next multiple of 64 bytes. A RoPE
    table has no tensor in the checkpoint: `theta` says how to make it.

    Constraints:
    * (C1) the layout is not `stored`.
    * (C2) offset is a multiple of 64 and not negative.
    * (C3) theta is given exactly for a RoPE table.

    ```mlir
    qwen.packed_weight "model.norm.weight" at 4096 : !qwen.weight<[896], "f32", "vec">
    qwen.packed_weight "rope_table" at 8192 theta 1.0e+06 : !qwen.weight<[4096, 64], "f32", "rope">
    ```
  }];
  let arguments = (ins StrAttr:$name,
                       Qwen_I64Attr:$offset,                     // packed_weight_c2
                       OptionalAttr<F64Attr>:$theta,        // packed_weight_c3
                       TypeAttrOf<Qwen_WeightType>:$type);  // packed_weight_c1
  let assemblyFormat = "$name `at` $offset (`theta` $theta^)? `:` $type attr-dict";
  let hasVerifier = 1;
}

#endif
