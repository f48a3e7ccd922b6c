// Parts.cpp - linears of a step, by the rows they read.
#include "tools/qwenc/bits/Parts.h"

#include "codegen/catalog/Catalog.h"
#include "passes/ir/QwenOps.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

namespace qwen::bits {
namespace {

Matrix matrixOf(ir::WeightOp op, const TensorIndex &tensors) {
  const ir::WeightType type = op.getType();
  Matrix matrix;
  matrix.name = op.getName().str();
  matrix.rows = type.getDim(0);
  matrix.width = type.getDim(1);
  matrix.stored = tensors.at(matrix.name);
  for (const CatalogFormat &format : KernelCatalog::builtin().formats)
    if (format.scaleGroup > 0 && !format.storedTypes.empty() &&
        format.storedTypes.front() == matrix.stored.storedType) {
      matrix.lossless = format.name;
      break;
    }
  return matrix;
}

std::vector<ir::WeightOp> matricesOf(mlir::Operation &op) {
  std::vector<ir::WeightOp> matrices;
  for (mlir::Value operand : op.getOperands())
    if (auto weight = operand.getDefiningOp<ir::WeightOp>();
        weight && weight.getType().isMatrix())
      matrices.push_back(weight);
  return matrices;
}

/// The quantised rows that an op multiplies; null for an op that has none.
ir::QuantizeOp rowsOf(mlir::Operation &op) {
  for (mlir::Value operand : op.getOperands())
    if (auto rows = operand.getDefiningOp<ir::QuantizeOp>())
      return rows;
  return nullptr;
}

} // namespace

std::vector<Part> partsOf(mlir::func::FuncOp step, const TensorIndex &tensors) {
  std::vector<Part> parts;
  for (mlir::Operation &op : step.getBody().front()) {
    const std::vector<ir::WeightOp> matrices = matricesOf(op);
    ir::QuantizeOp rows = rowsOf(op);
    if (matrices.empty() || !rows)
      continue;
    const std::string tap = ir::tapName(rows);
    auto part = std::find_if(parts.begin(), parts.end(),
                             [&](const Part &p) { return p.tap == tap; });
    if (part == parts.end())
      part = parts.insert(parts.end(), Part{tap, {}, false});
    part->oneFormat |= matrices.size() > 1;
    for (ir::WeightOp matrix : matrices)
      part->matrices.push_back(matrixOf(matrix, tensors));
  }
  return parts;
}

std::vector<Matrix> lookedUp(mlir::func::FuncOp step,
                             const TensorIndex &tensors) {
  std::vector<Matrix> matrices;
  const std::vector<Part> parts = partsOf(step, tensors);
  for (mlir::Operation &op : step.getBody().front())
    if (auto embedding = llvm::dyn_cast<ir::EmbeddingOp>(op))
      for (ir::WeightOp weight : matricesOf(*embedding)) {
        const bool multiplied = llvm::any_of(parts, [&](const Part &part) {
          return llvm::any_of(part.matrices, [&](const Matrix &matrix) {
            return matrix.name == weight.getName();
          });
        });
        if (!multiplied)
          matrices.push_back(matrixOf(weight, tensors));
      }
  return matrices;
}

} // namespace qwen::bits
