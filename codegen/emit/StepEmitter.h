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

/// Emits functions into `module`, which gets one declaration and one wrapper
/// for each distinct kernel symbol.
class StepEmitter {
public:
  explicit StepEmitter(mlir::ModuleOp module);

  /// Emits `void @<name of the step>(qwen_step_args *)`.
  mlir::LLVM::LLVMFuncOp emit(ir::StepOp step);

  /// `qwen_step_args` and Halide's `halide_buffer_t` as LLVM types; their
  /// layout is checked by a unit test.
  static mlir::LLVM::LLVMStructType stepArgsType(mlir::MLIRContext *context);
  static mlir::LLVM::LLVMStructType bufferType(mlir::MLIRContext *context);

private:
  struct Call;
  mlir::LLVM::LLVMFuncOp wrapper(ir::DispatchOp dispatch);
  void emitDispatch(ir::DispatchOp dispatch);
  void emitCall(ir::DispatchOp dispatch, mlir::LLVM::LLVMFuncOp callee,
                mlir::Value chunk, mlir::Value firstRow, mlir::Value rows);
  void emitBarrier(mlir::Location loc);

  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value scaled(mlir::Value a, int64_t factor);
  mlir::Value offset(mlir::Value pointer, mlir::Value bytes);
  mlir::Value loadArgument(mlir::Value args, int64_t field);

  mlir::ModuleOp module;
  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::Type i32, i64, pointer;
  std::map<std::string, mlir::LLVM::LLVMFuncOp> wrappers; // by kernel symbol

  // Fields of the step's arguments, loaded once at its entry; `tokens` is the
  // constant 1 in a decode step.
  mlir::Value weights, cache, arena, scratch, counters, team, barrier, ids,
      tokens, position, first, thread;
};

} // namespace qwen
