// Mutations.h - defects that are planted into the compiler's own IR, to see
// that `verify` finds each.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace qwen::verify {

/// A defect that changes the module in place; false when it finds nothing to
/// change.
struct Mutation {
  const char *name;
  const char *pass; // after which it is planted, unless told otherwise
  bool (*plant)(mlir::ModuleOp module);
};

const std::vector<Mutation> &mutations();
const Mutation *findMutation(llvm::StringRef name);

} // namespace qwen::verify
