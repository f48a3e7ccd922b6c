// QwenDialect.td - the dialect itself and what every op and type of it shares.
#ifndef QWEN_DIALECT_TD
#define QWEN_DIALECT_TD

include "mlir/IR/DialectBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Qwen_Dialect : Dialect {
  let name = "qwen";
  let cppNamespace = "::qwen::ir";
  let summary = "One step of a Qwen model, from Hugging Face's terms down to kernel calls";
  let description = [{
    A step function takes T token ids, the cache position of the first one and the first row whose logits are wanted.
    Activations are `tensor<?xXxf32>` (T rows of X values), weights are values of `!qwen.weight`, the key and value
    caches are values of `!qwen.cache` that append ops thread through the step.

    Three levels of ops share the dialect: graph and fused ops compute on tensors; `qwen.quantize`, the `qwen.kernel` and
    `qwen.partition` attributes and `qwen.barrier` are what scheduling adds; `qwen.step`, `qwen.dispatch` and
    `qwen.packed_weight` are the planned program, which has no tensors.

    Discardable attributes, verified on every op that carries them:
    * `qwen.kernel`: the symbol of the compiled kernel that does a compute op.
    * `qwen.few_kernel`: the symbol of the one that does it instead where there are few rows.
    * `qwen.partition`: how a compute op's chunks go to the team.
    * `qwen.plan`: on a module, the sizes and places that the planned program needs.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let discardableAttrs = (ins "::mlir::StringAttr":$kernel,
                              "::mlir::StringAttr":$few_kernel,
                              "::qwen::ir::PartitionAttr":$partition,
                              "::qwen::ir::PlanAttr":$plan);
}

// An op that a kernel does: it may carry `qwen.kernel` and `qwen.partition`.
def Qwen_Compute : NativeOpTrait<"Compute"> {
  let cppNamespace = "::qwen::ir";
}

class Qwen_Op<string mnemonic, list<Trait> traits = []> : Op<Qwen_Dialect, mnemonic, traits>;

// A compute op without a side effect.
class Qwen_ComputeOp<string mnemonic, list<Trait> traits = []>
    : Qwen_Op<mnemonic, !listconcat([Pure, Qwen_Compute], traits)>;

// A compute op that writes a cache in place: it must not be dropped or repeated.
class Qwen_AppendOp<string mnemonic, list<Trait> traits = []>
    : Qwen_Op<mnemonic, !listconcat([MemoryEffects<[MemWrite]>, Qwen_Compute], traits)>;

#endif
