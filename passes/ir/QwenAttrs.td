// QwenAttrs.td - what scheduling and planning add: partitions, buffer slots, scalars, the plan's numbers.
#ifndef QWEN_ATTRS_TD
#define QWEN_ATTRS_TD

include "passes/ir/QwenDialect.td"

// Sizes and indices are int64_t in C++.
def Qwen_I64Attr : TypedSignlessIntegerAttrBase<I64, "int64_t", "64-bit signless integer attribute">;

class Qwen_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::qwen::ir";
  let genSpecializedAttr = 0;
}

class Qwen_EnumAttr<EnumAttrInfo info, string name> : EnumAttr<Qwen_Dialect, info, name> {
  let assemblyFormat = "$value";
}

def Qwen_CacheKind : Qwen_Enum<"CacheKind", "which half of a layer's cache", [
    I32EnumAttrCase<"Key", 0, "key">, I32EnumAttrCase<"Value", 1, "value">]>;
def Qwen_CacheKindAttr : Qwen_EnumAttr<Qwen_CacheKind, "cache_kind">;

def Qwen_Mode : Qwen_Enum<"Mode", "who runs the chunks of a dispatch", [
    I32EnumAttrCase<"Shared", 0, "shared">,           // threads claim chunks from a counter cell
    I32EnumAttrCase<"Replicated", 1, "replicated">]>; // each thread runs all chunks, into its own scratch
def Qwen_ModeAttr : Qwen_EnumAttr<Qwen_Mode, "mode">;

def Qwen_RowRange : Qwen_Enum<"RowRange", "which rows of the step a dispatch computes", [
    I32EnumAttrCase<"All", 0, "all">,    // T rows
    I32EnumAttrCase<"Tail", 1, "tail">]>; // T - first rows
def Qwen_RowRangeAttr : Qwen_EnumAttr<Qwen_RowRange, "row_range">;

def Qwen_Arena : Qwen_Enum<"Arena", "the memory that a slot's offset counts in", [
    I32EnumAttrCase<"Weights", 0, "weights">, // tensor section of the weights file
    I32EnumAttrCase<"Cache", 1, "cache">,     // keys and values
    I32EnumAttrCase<"Arena", 2, "arena">,     // activations that cross threads
    I32EnumAttrCase<"Scratch", 3, "scratch">, // activations of one thread
    I32EnumAttrCase<"Ids", 4, "ids">]>;       // the step's token ids, i32

def Qwen_ScalarKind : Qwen_Enum<"ScalarKind", "where a kernel's scalar argument comes from", [
    I32EnumAttrCase<"Tokens", 0, "tokens">,
    I32EnumAttrCase<"Position", 1, "position">,
    I32EnumAttrCase<"Constant", 2, "constant">,
    I32EnumAttrCase<"Rank", 3, "rank">,
    I32EnumAttrCase<"Margin", 4, "margin">]>;

class Qwen_Attr<string name, string attrMnemonic> : AttrDef<Qwen_Dialect, name> {
  let mnemonic = attrMnemonic;
  let genVerifyDecl = 1;
}

def Qwen_PartitionAttr : Qwen_Attr<"Partition", "partition"> {
  let summary = "how a compute op's work is cut and who does it";
  let description = [{
    `chunks` cuts the outputs of one row (rows of N, heads), `tokenBlock` cuts the T rows (0: all rows in one call), `span`
    the positions that they see (0: all in one call). The team runs chunks × blocks × spans calls.

    Constraints:
    * (C1) chunks is positive; tokenBlock and span are not negative, and one of them is 0.

    ```mlir
    #qwen.partition<shared, chunks = 14, tokenBlock = 0>
    #qwen.partition<shared, chunks = 2, tokenBlock = 0, span = 512>
    ```
  }];
  let parameters = (ins EnumParameter<Qwen_Mode>:$mode, "int64_t":$chunks, "int64_t":$tokenBlock,
                        DefaultValuedParameter<"int64_t", "0">:$span);
  let assemblyFormat = [{
    `<` $mode `,` `chunks` `=` $chunks `,` `tokenBlock` `=` $tokenBlock (`,` `span` `=` $span^)? `>`
  }];
}

def Qwen_SlotAttr : Qwen_Attr<"Slot", "slot"> {
  let summary = "where one buffer of a kernel call lies";
  let description = [{
    The pointer that a call gets for chunk c and the block of rows that starts at row b (b counts from 0 in the
    dispatch's own rows, so from `first` of the step when its rows are `tail`):

    `base(arena) + offset + c · chunk + b · token + position · positionBytes + first · firstBytes + n · spanBytes`

    All are bytes; `position` and `first` are the step's arguments (`qwen_step_args.position`, `.logits_from`), n is the
    call's span (0 in a dispatch that is not cut into spans). The five strides may be left out when 0.

    Constraints:
    * (C1) offset and strides are not negative.
    * (C2) a slot of `ids` has offset 0 and no chunk stride.

    ```mlir
    #qwen.slot<weights, 4096 chunk = 57344>
    #qwen.slot<arena, 0 token = 3584 first = 3584>
    #qwen.slot<cache, 0 chunk = 524288 span = 65536>
    ```
  }];
  let parameters = (ins EnumParameter<Qwen_Arena>:$arena, "int64_t":$offset,
                        DefaultValuedParameter<"int64_t", "0">:$chunkBytes,
                        DefaultValuedParameter<"int64_t", "0">:$tokenBytes,
                        DefaultValuedParameter<"int64_t", "0">:$positionBytes,
                        DefaultValuedParameter<"int64_t", "0">:$firstBytes,
                        DefaultValuedParameter<"int64_t", "0">:$spanBytes);
  let assemblyFormat = [{
    `<` $arena `,` $offset (`chunk` `=` $chunkBytes^)? (`token` `=` $tokenBytes^)? (`position` `=` $positionBytes^)?
    (`first` `=` $firstBytes^)? (`span` `=` $spanBytes^)? `>`
  }];
}

def Qwen_ScalarAttr : Qwen_Attr<"Scalar", "scalar"> {
  let summary = "one scalar argument of a kernel call";
  let description = [{
    * `tokens`: i32, rows of the call's block.
    * `position`: i32, cache position of the block's first row: `position + b` (`+ first` when the rows are `tail`); in a
      call of span n it counts from the span's start, so `- n · span`.
    * `constant`: f32, the value given.
    * `rank`, `margin`: i32, the step's arguments (`qwen_step_args.rank`, `.margin`).

    Constraints:
    * (C1) a value is given exactly when the kind is `constant`, and it is an f32.

    ```mlir
    #qwen.scalar<tokens>
    #qwen.scalar<constant, 1.0e-06 : f32>
    ```
  }];
  let parameters = (ins EnumParameter<Qwen_ScalarKind>:$kind, OptionalParameter<"::mlir::FloatAttr">:$value);
  let assemblyFormat = "`<` $kind (`,` $value^)? `>`";
}

def Qwen_PlanAttr : Qwen_Attr<"Plan", "plan"> {
  let summary = "sizes and places of a planned module";
  let description = [{
    Bytes of each arena, the number of counter cells, and where the logits and the greedy tokens are in the arena: the
    fields of `qwen_plan` that planning decides. `logitsStride` counts f32 elements.

    Constraints:
    * (C1) no number is negative.
    * (C2) logits and tokens lie inside the arena.

    ```mlir
    #qwen.plan<weightsBytes = 4096, cacheBytes = 8192, arenaBytes = 65536, scratchBytes = 4096, counters = 9,
               prefillChunk = 256, logitsRows = 1, logitsOffset = 0, logitsStride = 1024, argmaxOffset = 4096>
    ```
  }];
  let parameters = (ins "int64_t":$weightsBytes, "int64_t":$cacheBytes, "int64_t":$arenaBytes, "int64_t":$scratchBytes,
                        "int64_t":$counters, "int64_t":$prefillChunk, "int64_t":$logitsRows, "int64_t":$logitsOffset,
                        "int64_t":$logitsStride, "int64_t":$argmaxOffset);
  let assemblyFormat = "`<` struct(params) `>`";
}

#endif
