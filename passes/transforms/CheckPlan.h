// CheckPlan.h - does the planned program move the data that the scheduled one
// does, and can two threads meet in one place?
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>

namespace qwen {

struct PlanFault {
  std::string pass; // "partition" or "plan-buffers"
  std::string op;   // the tap name of the op that reads or writes wrongly
  std::string text;
};

/// The first fault of `planned`, which plan-buffers made of `scheduled`.
std::optional<PlanFault> checkPlan(mlir::ModuleOp scheduled,
                                   mlir::ModuleOp planned);

} // namespace qwen
