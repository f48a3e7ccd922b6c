// ImportModel.h - a checked ModelSpec becomes qwen IR: one function @step, in
// Hugging Face's terms.
//
// Source  HF Qwen2ForCausalLM, Qwen3ForCausalLM
#pragma once

#include "frontend/config/ModelSpec.h"
#include "frontend/weights/TensorIndex.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <string>

namespace qwen {

struct ImportOptions {
  int64_t context = 0; // tokens the cache must hold; S is this rounded
                       // up to 64
  std::string cacheType = "f16"; // element of the caches
  int64_t vocabEligible = 0;     // ids below it can be generated; 0: all V
};

/// Builds
/// `@step(ids [T], position, first) -> (logits [T - first, V], tokens)`.
/// Without an index (a bare config) every matrix counts as stored in bf16. A
/// tensor that is missing or has another shape is an error on the context's
/// diagnostics and gives null. Loads the dialects it needs.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context,
                                              const ModelSpec &spec,
                                              const TensorIndex *index,
                                              const ImportOptions &options);

} // namespace qwen
