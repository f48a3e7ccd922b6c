// Main.cpp - mlir-opt with the qwen dialect and passes, for tests and for
// reading one pass at a time.
#include "passes/ir/QwenOps.h"
#include "passes/transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, qwen::ir::QwenDialect>();
  mlir::registerTransformsPasses();
  qwen::registerQwencPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "qwen dialect optimizer\n", registry));
}
