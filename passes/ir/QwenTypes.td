// QwenTypes.td - weights, caches and quantised activations, and the constraints on tensors that ops share.
#ifndef QWEN_TYPES_TD
#define QWEN_TYPES_TD

include "passes/ir/QwenDialect.td"

class Qwen_Type<string name, string typeMnemonic> : TypeDef<Qwen_Dialect, name> {
  let mnemonic = typeMnemonic;
  let genVerifyDecl = 1;
}

def Qwen_WeightType : Qwen_Type<"Weight", "weight"> {
  let summary = "a model parameter, with the format and the layout of its bytes";
  let description = [{
    Shapes: `[N, K]` for the weight of a linear or an embedding, `[X]` for a vector (norm weight, bias), `[S, C]` for the
    RoPE table.

    The layout says what the format means:
    * `stored`: the bytes of the checkpoint, format is the stored type (`bf16`, `q5_0`).
    * `panel16`: the planes of a weight format (`q5g32`) in panels of 16 rows.
    * `vec`: f32, zero-padded to a multiple of 16.
    * `rope`: f32, row p holds C/2 cosines, then C/2 sines of position p.

    Constraints:
    * (C1) every dimension is positive.
    * (C2) layout is one of `stored`, `panel16`, `vec`, `rope`.
    * (C3) a `vec` has one dimension, every other layout two.
    * (C4) `vec` and `rope` have format `f32`; no format is empty.
    * (C5) C of a `rope` is even.

    ```mlir
    !qwen.weight<[4864, 896], "q5g32", "panel16">
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape,
                        StringRefParameter<"name of the format">:$format,
                        StringRefParameter<"name of the layout">:$layout);
  let assemblyFormat = "`<` `[` $shape `]` `,` $format `,` $layout `>`";
  let extraClassDeclaration = [{
    int64_t getDim(int64_t i) const { return getShape()[i]; }
    bool isVector() const { return getLayout() == "vec"; }
    bool isRopeTable() const { return getLayout() == "rope"; }
    /// The weight of a linear or an embedding, stored or packed.
    bool isMatrix() const { return !isVector() && !isRopeTable(); }
    /// The bytes of the checkpoint: no format has been chosen yet.
    bool isStored() const { return getLayout() == "stored"; }
  }];
}

def Qwen_CacheType : Qwen_Type<"Cache", "cache"> {
  let summary = "the keys or the values of one layer";
  let description = [{
    Shapes: `[S, G, C]`: S positions, G key/value heads of width C. The order in memory depends on the kind and is given
    in ARCHITECTURE.md.

    Constraints:
    * (C1) three positive dimensions, S a multiple of 64.
    * (C2) element is `f32`, `f16`, `int16` or `int8`.

    ```mlir
    !qwen.cache<[4096, 2, 64], "f16">
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, StringRefParameter<"`f32`, `f16`, `int16` or `int8`">:$element);
  let assemblyFormat = "`<` `[` $shape `]` `,` $element `>`";
  let extraClassDeclaration = [{
    int64_t getPositions() const { return getShape()[0]; }  // S
    int64_t getHeads() const { return getShape()[1]; }      // G
    int64_t getHeadWidth() const { return getShape()[2]; }  // C
    /// Rows are quantised as a whole: what writes them has to see all of a head.
    bool isQuantised() const { return cacheCode(std::string_view(getElement())); }
    std::vector<CachePlane> getPlanes(CacheKind kind) const {
      return cachePlanes(std::string_view(getElement()), kind == CacheKind::Key, getHeadWidth());
    }
    /// Bytes of the whole cache.
    int64_t getBytes(CacheKind kind) const {
      int64_t bytes = 0;
      for (const CachePlane &plane : getPlanes(kind))
        bytes += getHeads() * plane.headBytes(getPositions());
      return bytes;
    }
  }];
}

def Qwen_ActType : Qwen_Type<"Act", "act"> {
  let summary = "activation rows quantised for integer kernels";
  let description = [{
    Shapes: T rows of K values; T is that of the tensor they come from. In `q8g32` a row is K i8 values, K/32 f32 scales
    and K/32 i32 sums of values.

    Constraints:
    * (C1) format is `q8g32`.
    * (C2) K is positive and a multiple of 32.

    ```mlir
    !qwen.act<896, "q8g32">
    ```
  }];
  let parameters = (ins "int64_t":$width, StringRefParameter<"name of the format">:$format);
  let assemblyFormat = "`<` $width `,` $format `>`";
}

def Qwen_Tensor : Type<And<[CPred<"::llvm::isa<::mlir::RankedTensorType>($_self)">,
                            CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getRank() == 2">,
                            CPred<"!::llvm::cast<::mlir::RankedTensorType>($_self).isDynamicDim(1)">,
                            CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getElementType().isF32()">]>,
                       "f32 tensor of T rows of a fixed width", "::mlir::RankedTensorType">;

def Qwen_Ids : Type<And<[CPred<"::llvm::isa<::mlir::RankedTensorType>($_self)">,
                         CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getRank() == 1">,
                         CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getElementType().isSignlessInteger(32)">]>,
                    "i32 tensor of T token ids", "::mlir::RankedTensorType">;

def Qwen_Rows : AnyTypeOf<[Qwen_Tensor, Qwen_ActType], "f32 tensor of T rows or quantised rows">;

#endif
