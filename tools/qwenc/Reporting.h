// Reporting.h - how messages, times and reproducers of the driver look.
#pragma once

#include "passes/pipeline/Pipeline.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Error.h"

#include <string>

namespace qwen {

/// Prints `qwenc: error: text`.
void reportError(const std::string &text);

/// Prints an error's text the same way, unless it is empty, for what has been
/// told where it happened; returns the exit code for it.
int reportError(llvm::Error error);

/// Prints the IR's diagnostics as `path:line:col: error: text`, or `qwenc:
/// error: text` where no place is known.
mlir::LogicalResult reportDiagnostic(mlir::Diagnostic &diagnostic);

/// For a broken invariant: what to send us. Writes `qwenc-reproducer.mlir` into
/// the current folder.
int reportBroken(const std::string &stage, mlir::ModuleOp input,
                 const std::string &options);

/// The stages by time, longest first.
void printTimings(const Timings &timings);

} // namespace qwen
