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
  let options = [
    Option<"format", "format", "std::string", "\"stored\"",
           "weight format of every matrix; `stored`: the lossless one of each tensor">,
    Option<"activations", "activations", "std::string", "\"q8g32\"",
           "`f32`, or `q8g32` wherever the weight's format takes it">,
  ];
}

def SplitSteps : Pass<"qwen-split-steps", "::mlir::ModuleOp"> {
  let summary = "turns @step into @decode (T = 1) and @prefill (T at run time)";
}

def SelectKernels : Pass<"qwen-select-kernels", "::mlir::ModuleOp"> {
  let summary = "names the compiled kernel of every compute op";
  let options = [
    Option<"target", "target", "std::string", "\"\"", "target name of the catalog; empty: this machine's">,
    Option<"schedule", "schedule", "std::string", "\"\"", "schedule file whose points win over the built-in ones">,
  ];
}

def Partition : Pass<"qwen-partition", "::mlir::ModuleOp"> {
  let summary = "cuts every compute op over the team and sets barriers where data crosses threads";
}

def PlanWeights : Pass<"qwen-plan-weights", "::mlir::ModuleOp"> {
  let summary = "gives every weight its place in the weights file, in the order the decode step reads them";
}

def PlanBuffers : Pass<"qwen-plan-buffers", "::mlir::ModuleOp"> {
  let summary = "gives every value its place in an arena; functions become steps of dispatches and barriers";
  let options = [
    Option<"prefillChunk", "prefill-chunk", "int64_t", "128", "largest T of the prefill step">,
  ];
}

#endif
