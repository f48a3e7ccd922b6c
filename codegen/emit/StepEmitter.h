// StepEmitter.h - one planned step becomes one SPMD function of the llvm
// dialect: chunk claims, kernel calls, barriers.
//
// Source  runtime/include/qwen/qwen.h (qwen_step_args), ARCHITECTURE.md "The
// step"
#pragma once

#include "passes/ir/QwenOps.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <string>

namespace qwen {

/// `qwen_step_args` as an LLVM type: its layout is checked by a unit test.
mlir::LLVM::LLVMStructType stepArgsType(mlir::MLIRContext *context);

/// Halide's `halide_buffer_t` as an LLVM type, and the field that kernels read.
mlir::LLVM::LLVMStructType bufferType(mlir::MLIRContext *context);
inline constexpr int32_t kBufferHostField = 2;

/// Emits functions into `module`, which also gets, for each distinct kernel,
/// its declaration and a wrapper that passes pointers as the one field of a
/// buffer descriptor that kernels read.
class StepEmitter {
public:
  explicit StepEmitter(mlir::ModuleOp module);

  /// Emits `void @<name of the step>(qwen_step_args *)`, which only the plan
  /// refers to.
  mlir::LLVM::LLVMFuncOp emit(ir::StepOp step);

private:
  /// What one call of a dispatch does.
  struct Call {
    mlir::Value chunk, firstRow, rows, span;
  };
  mlir::LLVM::LLVMFuncOp wrapper(ir::DispatchOp dispatch);
  void emitDispatch(ir::DispatchOp dispatch);
  void emitCall(ir::DispatchOp dispatch, mlir::LLVM::LLVMFuncOp callee,
                const Call &call);
  void emitBarrier();
  mlir::Value slotPointer(ir::SlotAttr slot, const Call &call);
  mlir::Value scalarValue(ir::ScalarAttr scalar, ir::DispatchOp dispatch,
                          const Call &call);

  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value scaled(mlir::Value a, int64_t factor);
  mlir::Value offset(mlir::Value pointer, mlir::Value bytes);

  mlir::ModuleOp module;
  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::Type i32, i64, pointer;
  std::map<std::string, mlir::LLVM::LLVMFuncOp> wrappers; // by kernel symbol

  // The step's arguments, loaded once at its entry.
  mlir::Value arenas[5]; // by ir::Arena
  mlir::Value counters, team, barrier, tokens, position, first, rank, margin,
      thread;
};

} // namespace qwen
