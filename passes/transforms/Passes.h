// Passes.h - creation and registration of the passes in Passes.td.
#pragma once

#include "passes/ir/QwenOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <cstdint>
#include <memory>
#include <string>

namespace qwen {

#define GEN_PASS_DECL
#include "passes/transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/transforms/Passes.h.inc"

} // namespace qwen
