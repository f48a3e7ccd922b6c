// QwenFusedOps.td - a linear and what follows it, as one kernel does them; and the quantisation of rows.
#ifndef QWEN_FUSED_OPS_TD
#define QWEN_FUSED_OPS_TD

include "mlir/Interfaces/InferTypeOpInterface.td"
include "passes/ir/QwenAttrs.td"
include "passes/ir/QwenTypes.td"

def Qwen_LinearSwigluOp : Qwen_ComputeOp<"linear_swiglu"> {
  let summary = "silu(x · Wgateᵀ) · (x · Wupᵀ)";
  let description = [{
    Shapes: x `[T, K]`, Wgate and Wup `[N, K]`, y `[T, N]`.
    Source: HF `Qwen2MLP.forward`.

    Constraints:
    * (C1) Wgate and Wup have one type.
    * (C2) they are matrices and `dim(x, 1) = dim(Wgate, 1)`.
    * (C3) `dim(y) = [dim(x, 0), dim(Wgate, 0)]`.

    ```mlir
    %y = qwen.linear_swiglu %x, %wgate, %wup : (tensor<?x896xf32>, !qwen.weight<[4864, 896], "bf16", "stored">,
        !qwen.weight<[4864, 896], "bf16", "stored">) -> tensor<?x4864xf32>
    ```
  }];
  let arguments = (ins Qwen_Rows:$x,                // linear_swiglu_c2, linear_swiglu_c3
                       Qwen_WeightType:$gate,       // linear_swiglu_c1, linear_swiglu_c2, linear_swiglu_c3
                       Qwen_WeightType:$up);        // linear_swiglu_c1
  let results = (outs Qwen_Tensor:$y);              // linear_swiglu_c3
  let assemblyFormat = "$x `,` $gate `,` $up attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Qwen_LinearRopeOp : Qwen_ComputeOp<"linear_rope", [AttrSizedOperandSegments]> {
  let summary = "rope(rms_norm(x · Wᵀ (+ b)))";
  let description = [{
    Shapes: x `[T, K]`, W `[N, K]`, b `[N]`, norm `[C]`, table `[S, C]`, y `[T, N]`, `N = heads · C`. Without norm there
    is no rms_norm; with it, each head is normalised on its own.
    Source: the queries of HF `Qwen2Attention`, `Qwen3Attention`.

    Constraints:
    * (C1) W is a matrix and `dim(x, 1) = dim(W, 1)`.
    * (C2) `dim(y) = [dim(x, 0), dim(W, 0)]`.
    * (C3) b, if present, is a `vec` with `dim(b) = [dim(W, 0)]`.
    * (C4) table is a RoPE table, heads is positive and `dim(W, 0) = heads · dim(table, 1)`.
    * (C5) norm, if present, is a `vec` with `dim(norm) = [dim(table, 1)]`.
    * (C6) eps is given exactly when norm is, and is positive.

    ```mlir
    %y = qwen.linear_rope %x, %w bias %b rope %table, %position {heads = 14 : i64} : (tensor<?x896xf32>,
        !qwen.weight<[896, 896], "bf16", "stored">, !qwen.weight<[896], "f32", "vec">,
        !qwen.weight<[4096, 64], "f32", "rope">, index) -> tensor<?x896xf32>
    ```
  }];
  let arguments = (ins Qwen_Rows:$x,                     // linear_rope_c1, linear_rope_c2
                       Qwen_WeightType:$weight,          // linear_rope_c1, linear_rope_c2, linear_rope_c4
                       Optional<Qwen_WeightType>:$bias,  // linear_rope_c3
                       Optional<Qwen_WeightType>:$norm,  // linear_rope_c5, linear_rope_c6
                       Qwen_WeightType:$table,           // linear_rope_c4, linear_rope_c5
                       Index:$position,
                       Qwen_I64Attr:$heads,                   // linear_rope_c4
                       OptionalAttr<F64Attr>:$eps);      // linear_rope_c6
  let results = (outs Qwen_Tensor:$y);                   // linear_rope_c2
  let assemblyFormat = [{
    $x `,` $weight (`bias` $bias^)? (`norm` $norm^)? `rope` $table `,` $position attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Qwen_LinearRopeAppendOp : Qwen_AppendOp<"linear_rope_append", [AttrSizedOperandSegments]> {
  let summary = "key_append(cache, rope(rms_norm(x · Wᵀ (+ b))))";
  let description = [{
    Shapes: cache `[S, G, C]`, x `[T, K]`, W `[G·C, K]`, b `[G·C]`, norm `[C]`, table `[S, C]`.
    Source: the keys of HF `Qwen2Attention`, `Qwen3Attention`.

    Constraints:
    * (C1) W is a matrix and `dim(x, 1) = dim(W, 1)`.
    * (C2) `heads = G` and `dim(W, 0) = G · C`.
    * (C3) b, if present, is a `vec` with `dim(b) = [dim(W, 0)]`.
    * (C4) table is a RoPE table and `dim(W, 0) = heads · dim(table, 1)`.
    * (C5) norm, if present, is a `vec` with `dim(norm) = [dim(table, 1)]`.
    * (C6) eps is given exactly when norm is, and is positive.
    * (C7) the result has the type of cache.

    ```mlir
    %k1 = qwen.linear_rope_append %k0, %x, %w bias %b rope %table, %position {heads = 2 : i64} :
        (!qwen.cache<[4096, 2, 64], "f16">, tensor<?x896xf32>, !qwen.weight<[128, 896], "bf16", "stored">,
        !qwen.weight<[128], "f32", "vec">, !qwen.weight<[4096, 64], "f32", "rope">, index) -> !qwen.cache<[4096, 2, 64], "f16">
    ```
  }];
  let arguments = (ins Qwen_CacheType:$cache,            // linear_rope_append_c2, linear_rope_append_c7
                       Qwen_Rows:$x,                     // linear_rope_append_c1
                       Qwen_WeightType:$weight,          // linear_rope_append_c1, linear_rope_append_c2
                       Optional<Qwen_WeightType>:$bias,  // linear_rope_append_c3
                       Optional<Qwen_WeightType>:$norm,  // linear_rope_append_c5, linear_rope_append_c6
                       Qwen_WeightType:$table,           // linear_rope_append_c4, linear_rope_append_c5
                       Index:$position,
                       Qwen_I64Attr:$heads,                   // linear_rope_append_c2, linear_rope_append_c4
                       OptionalAttr<F64Attr>:$eps);      // linear_rope_append_c6
  let results = (outs Qwen_CacheType:$result);           // linear_rope_append_c7
  let assemblyFormat = [{
    $cache `,` $x `,` $weight (`bias` $bias^)? (`norm` $norm^)? `rope` $table `,` $position attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Qwen_LinearAppendOp : Qwen_AppendOp<"linear_append"> {
  let summary = "value_append(cache, x · Wᵀ (+ b))";
  let description = [{
    Shapes: cache `[S, G, C]`, x `[T, K]`, W `[G·C, K]`, b `[G·C]`.
    Source: the values of HF `Qwen2Attention`, `Qwen3Attention`.

    Constraints:
    * (C1) W is a matrix and `dim(x, 1) = dim(W, 1)`.
    * (C2) `dim(W, 0) = G · C`.
    * (C3) b, if present, is a `vec` with `dim(b) = [dim(W, 0)]`.
    * (C4) the result has the type of cache.

    ```mlir
    %v1 = qwen.linear_append %v0, %x, %w bias %b at %position : (!qwen.cache<[4096, 2, 64], "f16">, tensor<?x896xf32>,
        !qwen.weight<[128, 896], "bf16", "stored">, !qwen.weight<[128], "f32", "vec">, index) -> !qwen.cache<[4096, 2, 64], "f16">
    ```
  }];
  let arguments = (ins Qwen_CacheType:$cache,            // linear_append_c2, linear_append_c4
                       Qwen_Rows:$x,                     // linear_append_c1
                       Qwen_WeightType:$weight,          // linear_append_c1, linear_append_c2
                       Optional<Qwen_WeightType>:$bias,  // linear_append_c3
                       Index:$position);
  let results = (outs Qwen_CacheType:$result);           // linear_append_c4
  let assemblyFormat = [{
    $cache `,` $x `,` $weight (`bias` $bias^)? `at` $position attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Qwen_QuantizeOp : Qwen_ComputeOp<"quantize"> {
  let summary = "rows as i8 values, a scale and a sum for each group of 32";
  let description = [{
    Shapes: x `[T, K]`, y T rows of K. In each group, in f32, `scale = max|x| / 127` and `q = round(x · (1 / scale))`,
    halves to even; all 0 when the scale has no finite inverse. The sum is that of the group's q.
    Source: ggml `quantize_row_q8_0`, `block_q8_1`.

    Constraints:
    * (C1) `width(y) = dim(x, 1)`.

    ```mlir
    %q = qwen.quantize %x : tensor<?x896xf32> -> !qwen.act<896, "q8g32">
    ```
  }];
  let arguments = (ins Qwen_Tensor:$x);             // quantize_c1
  let results = (outs Qwen_ActType:$y);             // quantize_c1
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

#endif
