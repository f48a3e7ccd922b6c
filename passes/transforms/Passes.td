// Passes.td - every pass over the qwen dialect: name, summary, options; what it needs and leaves is in its file.
#ifndef QWEN_PASSES_TD
#define QWEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def FuseRope : Pass<"qwen-fuse-rope", "::mlir::ModuleOp"> {
  let summary = "puts RoPE, head norms and cache appends into the linears that feed them";
}

def FuseSwiglu : Pass<"qwen-fuse-swiglu", "::mlir::ModuleOp"> {
  let summary = "makes gate, up and SwiGLU one linear";
}

def FuseResidual : Pass<"qwen-fuse-residual", "::mlir::ModuleOp"> {
  let summary = "lets a linear add the residual to its result";
}

def SelectFormats : Pass<"qwen-select-formats", "::mlir::ModuleOp"> {
  let summary = "gives every stored weight a packed format, and quantises rows for integer linears";
  let description = [{
    `stored` matrices become `panel16` ones of the wanted format, or of the one that keeps each tensor's own values. A
    linear whose matrices all take `q8g32` rows then reads a `quantize` of its input; readers of one input share it.
    A format that does not take a tensor's stored type, or its row length, is an error that names those that do.
  }];
  let options = [
    Option<"format", "format", "std::string", "\"stored\"",
           "weight format of every matrix; `stored`: the lossless one of each tensor; then `+PIECE=FORMAT` for those whose "
           "name has that piece, the last that fits counts">,
    Option<"activations", "activations", "std::string", "\"q8g32\"",
           "`f32`, or `q8g32` wherever the weight's format takes it">,
    Option<"anyStored", "any-stored", "bool", "false",
           "every format takes every stored type: the values are made anew in its type">,
  ];
}

def SplitSteps : Pass<"qwen-split-steps", "::mlir::ModuleOp"> {
  let summary = "turns @step into @decode (T = 1) and @prefill (T at run time)";
  let description = [{
    Both do the same to the bit; a kernel for one token needs no loop over tokens. Below `tail` the rows of @decode stay a
    run-time number: none or one.
  }];
}

def RaiseTail : Pass<"qwen-raise-tail", "::mlir::ModuleOp"> {
  let summary = "computes the last layer behind its attention for the wanted rows only";
  let description = [{
    A step of many tokens wants the logits of its last rows, or of none; what only they read is done for them alone. In
    front of the rest stand the last layer's appends, which later tokens read.
  }];
}

def SplitAttention : Pass<"qwen-split-attention", "::mlir::ModuleOp"> {
  let summary = "cuts the attention of one token over the context: sums of spans, then their merging";
  let description = [{
    Attention alone has as many chunks as there are key/value heads; spans of 512 positions give a larger team work. The
    results are those of attention to the bit, since all of its kernels sum by spans. A context of one span stays as it is.
  }];
  let options = [
    Option<"kvSplit", "kv-split", "int64_t", "0", "1: never; 2: into spans; 0: the default">,
  ];
}

def ScreenHead : Pass<"qwen-screen-head", "::mlir::ModuleOp"> {
  let summary = "makes @decode_screened, whose head reads few exact rows";
  let description = [{
    @decode_screened takes the rank and the margin of a floor beside what @decode takes, and gives the floor too. Its logits
    are those of @decode, to the bit, in every row that could reach the floor, and minus infinity in most others. Where
    both are 0 the floor is such that its token is that of @decode. The head's weight gets a format that holds a coarse copy.
  }];
  let options = [
    Option<"mode", "mode", "std::string", "\"auto\"",
           "`on`: or it is an error; `off`; `auto`: where the head is large and its format allows it">,
  ];
}

def SelectKernels : Pass<"qwen-select-kernels", "::mlir::ModuleOp"> {
  let summary = "names the compiled kernel of every compute op";
  let description = [{
    The symbol holds formats, dims, the rows of a chunk, target and schedule point; it is a whole build request for
    `qwenc-kernel`. An op that no kernel does is an error with the rule that its dims or format break.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"\"", "target name of the catalog; empty: this machine's">,
    Option<"tuned", "tuned", "std::string", "\"\"", "measured schedule file; entries of other machines are left out">,
    Option<"schedule", "schedule", "std::string", "\"\"", "schedule file whose points win over all others">,
    Option<"chunkBytes", "chunk-bytes", "int64_t", "0", "wanted weight bytes of a linear's chunk; 0: the default">,
  ];
}

def Partition : Pass<"qwen-partition", "::mlir::ModuleOp"> {
  let summary = "cuts every compute op over the team and sets barriers where data crosses threads";
  let description = [{
    Linears are cut along their outputs, attention by key/value heads, everything else by blocks of rows. In @decode an op
    that works row by row is repeated by every thread into its own scratch: that is cheaper than a barrier. A barrier
    stands only before an op that reads what other threads wrote since the last one: five a layer in @decode.
  }];
  let options = [
    Option<"attentionRows", "attention-rows", "int64_t", "0", "tokens of one call of attention; 0 is the default">,
  ];
}

def PlanWeights : Pass<"qwen-plan-weights", "::mlir::ModuleOp"> {
  let summary = "gives every weight its place in the weights file, in the order the decode step reads them";
  let description = [{
    Decoding then is one forward scan of memory. Planes start at multiples of 64 bytes, weights of 64 KiB or more at
    pages.
  }];
}

def PlanBuffers : Pass<"qwen-plan-buffers", "::mlir::ModuleOp"> {
  let summary = "gives every value its place in an arena; functions become steps of dispatches and barriers";
  let description = [{
    Shared buffers live from barrier to barrier, because threads run at their own pace in between; a thread's own buffers
    live from op to op. The largest is placed first, at the lowest offset that is free all its life. Logits and greedy
    tokens come last and have one place in both steps.
  }];
  let options = [
    Option<"prefillChunk", "prefill-chunk", "int64_t", "512", "largest T of the prefill step">,
    Option<"taps", "taps", "bool", "false", "use no memory twice, and say where every result lies">,
  ];
}

#endif
