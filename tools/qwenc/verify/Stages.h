// Stages.h - a model's module after import and after every pass, kept side by
// side, and interpreted.
#pragma once

#include "frontend/diag/Diag.h"
#include "frontend/weights/Model.h"
#include "passes/reference/Interpreter.h"
#include "tools/qwenc/CompileOptions.h"
#include "tools/qwenc/verify/Arrays.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace qwen::verify {

struct Stage {
  std::string pass;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

class Stages {
public:
  /// Opens `options.model` and runs the passes; the options are resolved, and
  /// then say what `tune` chose for the model. Without `passes` it stops at the
  /// import. Says why when it gives null.
  static std::unique_ptr<Stages> make(CompileOptions &options, bool passes);

  const CheckpointSource &source() const { return *model; }
  const std::vector<Stage> &all() const { return stages; }
  mlir::ModuleOp imported() const { return *stages.front().module; }
  mlir::ModuleOp after(llvm::StringRef pass) const;

  /// Rows of the checkpoint's tensors.
  reference::ParameterSource stored();

private:
  Stages() : diags(messages) {}

  std::ostringstream messages;
  Diagnostics diags;
  std::optional<CheckpointSource> model;
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  std::vector<Stage> stages;
};

/// Keeps the first error of ops that cannot be interpreted, instead of printing
/// it.
class Complaints {
public:
  explicit Complaints(mlir::MLIRContext *context);
  llvm::Error take() const { return llvm::createStringError(first); }

private:
  std::string first;
  mlir::ScopedDiagnosticHandler handler;
};

/// The op that a tap of this name is the result of; null when there is none.
mlir::Operation *opNamed(mlir::func::FuncOp function, llvm::StringRef name);

/// @prefill of a split module, else @step.
mlir::func::FuncOp stepOf(mlir::ModuleOp module);

/// @decode of a split module, else @step.
mlir::func::FuncOp decodeOf(mlir::ModuleOp module);

/// A token as a tap.
reference::Rows idRow(int32_t id);

/// The logits that a screened step has to leave, and a margin that all are in.
inline constexpr int64_t kScreenedRank = 4, kNoMargin = int64_t(1) << 30;

/// What one token's step gives for the last of `ids`, after one step of the
/// others; the rest as `interpret`. Where there is a @decode_screened,
/// `screened` becomes what that gives for it with a floor of kScreenedRank, its
/// token among it.
llvm::Expected<TapRows>
interpretDecode(mlir::ModuleOp module,
                const reference::ParameterSource &parameters,
                const reference::Ids &ids, TapRows *screened = nullptr);

/// What every op of the module's step gives for `ids`, in f64; of @prefill in a
/// split module. With `exactRows` quantising loses nothing. The error is that
/// of the first op that has no meaning: "`NAME` reads position 3, ...".
llvm::Expected<TapRows> interpret(mlir::ModuleOp module,
                                  const reference::ParameterSource &parameters,
                                  const reference::Ids &ids, bool exactRows);

} // namespace qwen::verify
