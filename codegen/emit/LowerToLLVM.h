// LowerToLLVM.h - a planned module becomes the llvm dialect: step functions,
// kernel declarations, the plan.
//
// Source  runtime/include/qwen/qwen.h
#pragma once

#include "codegen/emit/WeightsFile.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace qwen {

/// What the runtime knows the first target's plan by.
inline constexpr char kPlanSymbol[] = "qwen_model_plan";

/// What the plan says beside what planning decided; shapes are those of
/// ModelSpec.
struct PlanFacts {
  std::string description; // JSON text
  std::string target;      // "avx512"
  std::vector<std::string> features;
  int64_t hiddenSize = 0, ffnSize = 0, layers = 0, queryHeads = 0,
          keyValueHeads = 0, headWidth = 0, vocabSize = 0;
  int64_t context = 0;       // tokens the cache can hold
  int64_t barrierSpinUs = 0; // 0: the runtime's own
  // Of the plan, and of the next target's; empty: there is none.
  std::string symbol = kPlanSymbol, nextSymbol;
};

/// `qwen_plan` as an LLVM type: its layout is checked by a unit test.
mlir::LLVM::LLVMStructType planType(mlir::MLIRContext *context);

/// Replaces the planned program in `module` by the llvm dialect.
void lowerToLLVM(mlir::ModuleOp module, const PlanFacts &facts,
                 const Fingerprint &fingerprint);

/// Hash of everything that the binary and its weights file must agree on: the
/// text of the planned module's weights and sizes, and the model's shape.
Fingerprint fingerprintOf(mlir::ModuleOp planned, const PlanFacts &facts);

/// Distinct kernel symbols of a planned module, in order of first use.
std::vector<std::string> kernelSymbols(mlir::ModuleOp planned);

/// The tensor section of a planned module.
std::vector<PackedTensor> packedTensors(mlir::ModuleOp planned);

} // namespace qwen
