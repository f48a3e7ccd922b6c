// QwenGraphOps.td - the ops a model is imported as, in Hugging Face's terms.
#ifndef QWEN_GRAPH_OPS_TD
#define QWEN_GRAPH_OPS_TD

include "mlir/Interfaces/InferTypeOpInterface.td"
include "passes/ir/QwenAttrs.td"
include "passes/ir/QwenTypes.td"

def Qwen_WeightOp : Qwen_Op<"weight", [Pure]> {
  let summary = "a parameter of the checkpoint, by its Hugging Face name";
  let description = [{
    Shapes: those of the result's type.
    Source: the `state_dict` key.

    Constraints:
    * (C1) the name is not empty.
    * (C2) the result is no RoPE table: that one is computed, not stored.

    ```mlir
    %w = qwen.weight "model.layers.0.mlp.up_proj.weight" : !qwen.weight<[4864, 896], "bf16", "stored">
    ```
  }];
  let arguments = (ins StrAttr:$name);              // weight_c1
  let results = (outs Qwen_WeightType:$result);     // weight_c2
  let assemblyFormat = "$name attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Qwen_RopeTableOp : Qwen_Op<"rope_table", [Pure]> {
  let summary = "cosines and sines of every position, C/2 of each";
  let description = [{
    Shapes: `[S, C]`; row p holds `cos(p · f_i)`, then `sin(p · f_i)`, with `f_i = theta^(-2i/C)`, i < C/2. The frequencies
    and the angles are rounded to f32, as Hugging Face does.
    Source: HF `Qwen2RotaryEmbedding`.

    Constraints:
    * (C1) the result is a RoPE table.
    * (C2) theta is positive and finite.

    ```mlir
    %t = qwen.rope_table {theta = 1.0e+06 : f64} : !qwen.weight<[4096, 64], "f32", "rope">
    ```
  }];
  let arguments = (ins F64Attr:$theta);             // rope_table_c2
  let results = (outs Qwen_WeightType:$result);     // rope_table_c1
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Qwen_CacheOp : Qwen_Op<"cache", [Pure]> {
  let summary = "a layer's keys or values as the previous step left them";
  let description = [{
    Shapes: `[S, G, C]`.
    Source: HF `DynamicCache`.

    Constraints:
    * (C1) layer is not negative.

    ```mlir
    %k = qwen.cache key layer 0 : !qwen.cache<[4096, 2, 64], "f16">
    ```
  }];
  let arguments = (ins Qwen_I64Attr:$layer,              // cache_c1
                       Qwen_CacheKindAttr:$kind);
  let results = (outs Qwen_CacheType:$result);
  let assemblyFormat = "$kind `layer` $layer attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Qwen_EmbeddingOp : Qwen_ComputeOp<"embedding"> {
  let summary = "row ids[t] of W for every token";
  let description = [{
    Shapes: ids `[T]`, W `[V, D]`, y `[T, D]`.
    Source: HF `Qwen2Model.embed_tokens`.

    Constraints:
    * (C1) W is a matrix.
    * (C2) `dim(y) = [dim(ids, 0), dim(W, 1)]`.

    ```mlir
    %y = qwen.embedding %ids, %w : (tensor<?xi32>, !qwen.weight<[151936, 896], "bf16", "stored">) -> tensor<?x896xf32>
    ```
  }];
  let arguments = (ins Qwen_Ids:$ids,               // embedding_c2
                       Qwen_WeightType:$weight);    // embedding_c1, embedding_c2
  let results = (outs Qwen_Tensor:$y);              // embedding_c2
  let assemblyFormat = "$ids `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Qwen_RmsNormOp : Qwen_ComputeOp<"rms_norm", [AllTypesMatch<["x", "y"]>]> {
  let summary = "w · x / sqrt(mean(x²) + eps), over each of a row's `heads` slices";
  let description = [{
    Shapes: x and y `[T, heads·X]`, w `[X]`; every contiguous slice of X values of a row is normalised on its own.
    Source: HF `Qwen2RMSNorm`; with `heads`, `Qwen3Attention.q_norm`.

    Constraints:
    * (C1) w is a `vec`.
    * (C2) heads is positive and `dim(x, 1) = heads · dim(w, 0)`.
    * (C3) eps is positive.

    ```mlir
    %y = qwen.rms_norm %x, %w {eps = 1.0e-06 : f64, heads = 1 : i64} : tensor<?x896xf32>, !qwen.weight<[896], "f32", "vec">
    ```
  }];
  let arguments = (ins Qwen_Tensor:$x,              // rms_norm_c2
                       Qwen_WeightType:$weight,     // rms_norm_c1, rms_norm_c2
                       F64Attr:$eps,                // rms_norm_c3
                       Qwen_I64Attr:$heads);             // rms_norm_c2
  let results = (outs Qwen_Tensor:$y);
  let assemblyFormat = "$x `,` $weight attr-dict `:` type($x) `,` type($weight)";
  let hasVerifier = 1;
}

def Qwen_LinearOp : Qwen_ComputeOp<"linear", [AttrSizedOperandSegments]> {
  let summary = "y = x · Wᵀ (+ b) (+ r)";
  let description = [{
    Shapes: x `[T, K]`, W `[N, K]`, b `[N]`, r and y `[T, N]`.
    Source: HF `Qwen2MLP.down_proj` and every other `nn.Linear` of the model.

    Constraints:
    * (C1) W is a matrix and `dim(x, 1) = dim(W, 1)`.
    * (C2) `dim(y) = [dim(x, 0), dim(W, 0)]`; quantised rows have no dim 0 to compare.
    * (C3) b, if present, is a `vec` with `dim(b) = [dim(W, 0)]`.
    * (C4) r, if present, has the type of y.

    ```mlir
    %y = qwen.linear %x, %w bias %b : (tensor<?x896xf32>, !qwen.weight<[128, 896], "bf16", "stored">,
        !qwen.weight<[128], "f32", "vec">) -> tensor<?x128xf32>
    ```
  }];
  let arguments = (ins Qwen_Rows:$x,                        // linear_c1, linear_c2
                       Qwen_WeightType:$weight,             // linear_c1, linear_c2
                       Optional<Qwen_WeightType>:$bias,     // linear_c3
                       Optional<Qwen_Tensor>:$residual);    // linear_c4
  let results = (outs Qwen_Tensor:$y);                      // linear_c2, linear_c4
  let assemblyFormat = [{
    $x `,` $weight (`bias` $bias^)? (`residual` $residual^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Qwen_RopeOp : Qwen_ComputeOp<"rope", [AllTypesMatch<["x", "y"]>]> {
  let summary = "rotates element i of each head with element i + C/2";
  let description = [{
    Shapes: x and y `[T, heads·C]`, table `[S, C]`; row t uses the table's row position + t.
    With c and s the row's cosines and sines, i < C/2: `y_i = x_i c_i - x_(i+C/2) s_i`,
    `y_(i+C/2) = x_(i+C/2) c_i + x_i s_i`.
    Source: HF `apply_rotary_pos_emb`.

    Constraints:
    * (C1) table is a RoPE table, heads is positive and `dim(x, 1) = heads · dim(table, 1)`.

    ```mlir
    %y = qwen.rope %x, %table, %position {heads = 14 : i64} : tensor<?x896xf32>, !qwen.weight<[4096, 64], "f32", "rope">
    ```
  }];
  let arguments = (ins Qwen_Tensor:$x,              // rope_c1
                       Qwen_WeightType:$table,      // rope_c1
                       Index:$position,
                       Qwen_I64Attr:$heads);             // rope_c1
  let results = (outs Qwen_Tensor:$y);
  let assemblyFormat = "$x `,` $table `,` $position attr-dict `:` type($x) `,` type($table)";
  let hasVerifier = 1;
}

class Qwen_RowsAppendOp<string mnemonic> : Qwen_AppendOp<mnemonic, [AllTypesMatch<["cache", "result"]>]> {
  let arguments = (ins Qwen_CacheType:$cache, Qwen_Tensor:$x, Index:$position);
  let results = (outs Qwen_CacheType:$result);
  let assemblyFormat = "$cache `,` $x `,` $position attr-dict `:` type($cache) `,` type($x)";
  let hasVerifier = 1;
}

def Qwen_KeyAppendOp : Qwen_RowsAppendOp<"key_append"> {
  let summary = "writes T rows of keys at positions position .. position + T - 1";
  let description = [{
    Shapes: cache `[S, G, C]`, x `[T, G·C]`.
    Source: HF `DynamicCache.update`.

    Constraints:
    * (C1) `dim(x, 1) = G · C`.

    ```mlir
    %k1 = qwen.key_append %k0, %x, %position : !qwen.cache<[4096, 2, 64], "f16">, tensor<?x128xf32>
    ```
  }];
}

def Qwen_ValueAppendOp : Qwen_RowsAppendOp<"value_append"> {
  let summary = "writes T rows of values at positions position .. position + T - 1";
  let description = [{
    Shapes: cache `[S, G, C]`, x `[T, G·C]`.
    Source: HF `DynamicCache.update`.

    Constraints:
    * (C1) `dim(x, 1) = G · C`.

    ```mlir
    %v1 = qwen.value_append %v0, %x, %position : !qwen.cache<[4096, 2, 64], "f16">, tensor<?x128xf32>
    ```
  }];
}

def Qwen_AttentionOp : Qwen_ComputeOp<"attention", [AllTypesMatch<["q", "y"]>]> {
  let summary = "softmax(q · kᵀ / sqrt(C)) · v, causal, over the cache";
  let description = [{
    Shapes: q and y `[T, heads·C]`, keys and values `[S, G, C]`. Row t sees positions 0 .. position + t. Query head h
    reads key/value head h / R, R = heads / G.
    Source: HF `Qwen2Attention`, `repeat_kv`, `eager_attention_forward`.

    Constraints:
    * (C1) keys and values have one type.
    * (C2) heads is positive and `dim(q, 1) = heads · C`.
    * (C3) heads is a multiple of G.

    ```mlir
    %y = qwen.attention %q, %k, %v, %position {heads = 14 : i64} : tensor<?x896xf32>, !qwen.cache<[4096, 2, 64], "f16">,
        !qwen.cache<[4096, 2, 64], "f16">
    ```
  }];
  let arguments = (ins Qwen_Tensor:$q,              // attention_c2
                       Qwen_CacheType:$keys,        // attention_c1, attention_c3
                       Qwen_CacheType:$values,      // attention_c1
                       Index:$position,
                       Qwen_I64Attr:$heads);             // attention_c2, attention_c3
  let results = (outs Qwen_Tensor:$y);
  let assemblyFormat = [{
    $q `,` $keys `,` $values `,` $position attr-dict `:` type($q) `,` type($keys) `,` type($values)
  }];
  let hasVerifier = 1;
}

def Qwen_SwigluOp : Qwen_ComputeOp<"swiglu", [AllTypesMatch<["gate", "up", "y"]>]> {
  let summary = "silu(gate) · up, silu(x) = x / (1 + exp(-x))";
  let description = [{
    Shapes: gate, up and y `[T, F]`, one type.
    Source: HF `Qwen2MLP.forward`.

    ```mlir
    %y = qwen.swiglu %gate, %up : tensor<?x4864xf32>
    ```
  }];
  let arguments = (ins Qwen_Tensor:$gate, Qwen_Tensor:$up);
  let results = (outs Qwen_Tensor:$y);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($y)";
}

def Qwen_AddOp : Qwen_ComputeOp<"add", [AllTypesMatch<["a", "b", "y"]>]> {
  let summary = "a + b";
  let description = [{
    Shapes: a, b and y `[T, D]`, one type.
    Source: the residuals of HF `Qwen2DecoderLayer.forward`.

    ```mlir
    %y = qwen.add %a, %b : tensor<?x896xf32>
    ```
  }];
  let arguments = (ins Qwen_Tensor:$a, Qwen_Tensor:$b);
  let results = (outs Qwen_Tensor:$y);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($y)";
}

def Qwen_TailOp : Qwen_Op<"tail", [Pure]> {
  let summary = "rows first .. T - 1 of x";
  let description = [{
    Shapes: x `[T, D]`, y `[T - first, D]`. No kernel does it: later ops compute fewer rows.
    Source: HF `logits_to_keep`.

    Constraints:
    * (C1) `dim(y, 1) = dim(x, 1)`.

    ```mlir
    %y = qwen.tail %x, %first : tensor<?x896xf32> -> tensor<?x896xf32>
    ```
  }];
  let arguments = (ins Qwen_Tensor:$x, Index:$first);  // tail_c1
  let results = (outs Qwen_Tensor:$y);                 // tail_c1
  let assemblyFormat = "$x `,` $first attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

def Qwen_ArgmaxOp : Qwen_ComputeOp<"argmax"> {
  let summary = "the id of the largest of each row's first `eligible` logits";
  let description = [{
    Shapes: logits `[T, V]`, y `[T]` i32. The lowest id wins a tie.
    Source: HF `GenerationMixin`, greedy search; ids from `eligible` up are padding rows and never win.

    Constraints:
    * (C1) `dim(y) = [dim(logits, 0)]`.
    * (C2) `0 < eligible <= dim(logits, 1)`.

    ```mlir
    %y = qwen.argmax %logits {eligible = 151665 : i64} : tensor<?x151936xf32> -> tensor<?xi32>
    ```
  }];
  let arguments = (ins Qwen_Tensor:$logits,         // argmax_c1, argmax_c2
                       Qwen_I64Attr:$eligible);          // argmax_c2
  let results = (outs Qwen_Ids:$y);                 // argmax_c1
  let assemblyFormat = "$logits attr-dict `:` type($logits) `->` type($y)";
  let hasVerifier = 1;
}

#endif
