// QwenSplitOps.td - attention of one token that is cut over the context: sums of spans, then their merging.
#ifndef QWEN_SPLIT_OPS_TD
#define QWEN_SPLIT_OPS_TD

include "passes/ir/QwenAttrs.td"
include "passes/ir/QwenTypes.td"

def Qwen_AttentionSpanOp : Qwen_ComputeOp<"attention_span"> {
  let summary = "of each span of the context, what attention sums of it";
  let description = [{
    Shapes: q `[1, heads·C]`, keys and values `[S, G, C]`, y `[1, N·heads·P]` with N spans of 512 positions and P = C + 16.
    At (n · heads + h) · P stand what span n gives query head h: with weights `w = 2^(q · k / sqrt(C) / ln 2 - e)`, e the
    largest exponent rounded up to an integer, the C sums of w · v, then the sum of w, e, and zeros. Positions beyond
    `position` have no part in it; the values of a span beyond it may be anything.
    Source: ARCHITECTURE.md, "Numerics"; Flash-Decoding.

    Constraints:
    * (C1) keys and values have one type.
    * (C2) heads is positive, `dim(q, 1) = heads · C`, and q has one row.
    * (C3) heads is a multiple of G.
    * (C4) y has one row of `N · heads · P` values.

    ```mlir
    %y = qwen.attention_span %q, %k, %v, %position {heads = 14 : i64} : tensor<1x896xf32>, !qwen.cache<[4096, 2, 64], "f16">,
        !qwen.cache<[4096, 2, 64], "f16"> -> tensor<1x8960xf32>
    ```
  }];
  let arguments = (ins Qwen_Tensor:$q,              // attention_span_c2
                       Qwen_CacheType:$keys,        // attention_span_c1, attention_span_c3
                       Qwen_CacheType:$values,      // attention_span_c1
                       Index:$position,
                       Qwen_I64Attr:$heads);        // attention_span_c2, attention_span_c3
  let results = (outs Qwen_Tensor:$y);              // attention_span_c4
  let assemblyFormat = [{
    $q `,` $keys `,` $values `,` $position attr-dict `:` type($q) `,` type($keys) `,` type($values) `->` type($y)
  }];
  let hasVerifier = 1;
}

def Qwen_AttentionMergeOp : Qwen_ComputeOp<"attention_merge"> {
  let summary = "attention from the sums of its spans";
  let description = [{
    Shapes: parts `[1, N·heads·P]` as `qwen.attention_span` gives them, y `[1, heads·C]`, P = C + 16. The spans up to the one
    of `position` are added by powers of two, ascending; the weighted values over the weights are y.
    Source: ARCHITECTURE.md, "Numerics"; Flash-Decoding.

    Constraints:
    * (C1) heads is positive and divides `dim(y, 1)`.
    * (C2) `dim(parts, 1)` is a multiple of `heads · P`.
    * (C3) parts and y have one row.

    ```mlir
    %y = qwen.attention_merge %parts, %position {heads = 14 : i64} : tensor<1x8960xf32> -> tensor<1x896xf32>
    ```
  }];
  let arguments = (ins Qwen_Tensor:$parts,          // attention_merge_c2, attention_merge_c3
                       Index:$position,
                       Qwen_I64Attr:$heads);        // attention_merge_c1, attention_merge_c2
  let results = (outs Qwen_Tensor:$y);              // attention_merge_c1, attention_merge_c3
  let assemblyFormat = "$parts `,` $position attr-dict `:` type($parts) `->` type($y)";
  let hasVerifier = 1;
}

#endif
