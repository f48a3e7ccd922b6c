// QwenScreenOps.td - a head that reads a coarse copy of its weight, and the exact rows only where they may matter.
#ifndef QWEN_SCREEN_OPS_TD
#define QWEN_SCREEN_OPS_TD

include "passes/ir/QwenAttrs.td"
include "passes/ir/QwenTypes.td"

def Qwen_LinearCoarseOp : Qwen_ComputeOp<"linear_coarse"> {
  let summary = "x · Wᵀ with the coarse copy of W that its format holds";
  let description = [{
    Shapes: x quantised rows of K, W `[N, K]`, y `[T, N]`. The reference takes W itself for its coarse copy.
    Source: ARCHITECTURE.md, "The screened head".

    Constraints:
    * (C1) W is packed and `width(x) = dim(W, 1)`.
    * (C2) `dim(y, 1) = dim(W, 0)`.

    ```mlir
    %y = qwen.linear_coarse %x, %w : (!qwen.act<896, "q8g32">, !qwen.weight<[151936, 896], "q8g32s", "panel16">) -> tensor<?x151936xf32>
    ```
  }];
  let arguments = (ins Qwen_ActType:$x,                // linear_coarse_c1
                       Qwen_WeightType:$weight);       // linear_coarse_c1, linear_coarse_c2
  let results = (outs Qwen_Tensor:$y);                 // linear_coarse_c2
  let assemblyFormat = "$x `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Qwen_ScoreFloorOp : Qwen_ComputeOp<"score_floor"> {
  let summary = "a number that the largest of the first `eligible` scores x · Wᵀ reaches";
  let description = [{
    Shapes: coarse `[T, N]`, x quantised rows of K, W `[N, K]`, y `[T, 1]`. It is `margin` 256ths below the score of an
    eligible row close to the one whose coarse score is largest; with a `rank` above 0 it is no lower than a guess that
    about `rank` scores reach, for which the reference takes the one of that rank.
    Source: ARCHITECTURE.md, "The screened head".

    Constraints:
    * (C1) W is packed and `width(x) = dim(W, 1)`.
    * (C2) `dim(coarse, 1) = dim(W, 0)` and `dim(y) = [dim(coarse, 0), 1]`.
    * (C3) `0 < eligible <= dim(W, 0)`.

    ```mlir
    %y = qwen.score_floor %c, %x, %w rank %rank margin %margin {eligible = 151665 : i64} : (tensor<?x151936xf32>,
        !qwen.act<896, "q8g32">, !qwen.weight<[151936, 896], "q8g32s", "panel16">, index, index) -> tensor<?x1xf32>
    ```
  }];
  let arguments = (ins Qwen_Tensor:$coarse,            // score_floor_c2
                       Qwen_ActType:$x,                // score_floor_c1
                       Qwen_WeightType:$weight,        // score_floor_c1, score_floor_c2, score_floor_c3
                       Index:$rank,
                       Index:$margin,
                       Qwen_I64Attr:$eligible);        // score_floor_c3
  let results = (outs Qwen_Tensor:$y);                 // score_floor_c2
  let assemblyFormat = "$coarse `,` $x `,` $weight `rank` $rank `margin` $margin attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Qwen_LinearRescoreOp : Qwen_ComputeOp<"linear_rescore"> {
  let summary = "x · Wᵀ where it may reach the floor, minus infinity elsewhere";
  let description = [{
    Shapes: coarse and y `[T, N]`, floor `[T, 1]`, x quantised rows of K, W `[N, K]`. No score that is minus infinity would
    reach the floor, and every other one is that of `qwen.linear` to the bit. Which rows below the floor are computed is
    the kernel's choice; the reference computes none.
    Source: ARCHITECTURE.md, "The screened head".

    Constraints:
    * (C1) W is packed and `width(x) = dim(W, 1)`.
    * (C2) coarse and y have one type and `dim(y, 1) = dim(W, 0)`.
    * (C3) `dim(floor) = [dim(coarse, 0), 1]`.

    ```mlir
    %y = qwen.linear_rescore %c, %f, %x, %w : (tensor<?x151936xf32>, tensor<?x1xf32>, !qwen.act<896, "q8g32">,
        !qwen.weight<[151936, 896], "q8g32s", "panel16">) -> tensor<?x151936xf32>
    ```
  }];
  let arguments = (ins Qwen_Tensor:$coarse,            // linear_rescore_c2, linear_rescore_c3
                       Qwen_Tensor:$floor,             // linear_rescore_c3
                       Qwen_ActType:$x,                // linear_rescore_c1
                       Qwen_WeightType:$weight);       // linear_rescore_c1, linear_rescore_c2
  let results = (outs Qwen_Tensor:$y);                 // linear_rescore_c2
  let assemblyFormat = "$coarse `,` $floor `,` $x `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif
