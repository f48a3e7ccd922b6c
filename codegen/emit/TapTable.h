// TapTable.h - the taps of a planned module as the text that its executable
// carries.
//
// Source  runtime/include/qwen/qwen.h, qwen_plan.taps
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace qwen {

/// JSON text; empty for a module without taps.
std::string tapTable(mlir::ModuleOp planned);

} // namespace qwen
