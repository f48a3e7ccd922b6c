// GraphBuilder.h - what the blocks of a model share while their ops are made.
#pragma once

#include "frontend/model/ImportModel.h"

#include "passes/ir/QwenOps.h"

#include "mlir/IR/Builders.h"

#include <map>
#include <string>
#include <string_view>

namespace qwen {

struct GraphBuilder {
  mlir::OpBuilder builder;
  const ModelSpec &spec;
  const TensorIndex *index; // null for a bare config
  const ImportOptions &options;
  mlir::Value ropeTable, position; // arguments of many ops
  bool failed = false;             // an error has been reported

  GraphBuilder(mlir::MLIRContext *context, const ModelSpec &spec,
               const TensorIndex *index, const ImportOptions &options)
      : builder(context), spec(spec), index(index), options(options) {}

  /// S: the context rounded up to the caches' block of positions.
  int64_t cachePositions() const;

  /// A location named like the HF module, at the config key that gives the op
  /// its size.
  mlir::Location at(const std::string &name, std::string_view configKey) const;

  /// The matrix `name` [rows, columns] in its stored type. Made once for a
  /// name.
  mlir::Value matrix(const std::string &name, int64_t rows, int64_t columns,
                     std::string_view configKey);
  /// The vector `name` [width], f32 whatever its stored type is.
  mlir::Value vector(const std::string &name, int64_t width,
                     std::string_view configKey);

  /// f32 rows `[T, width]`.
  mlir::RankedTensorType rows(int64_t width) const;

  /// `module.weight`, and `module.bias` when asked for, applied to x.
  mlir::Value linear(const std::string &module, mlir::Value x, int64_t width,
                     bool bias, std::string_view configKey);
  /// RMSNorm with `module.weight` over each of a row's `heads` slices.
  mlir::Value norm(const std::string &module, mlir::Value x, int64_t heads = 1);
  mlir::Value add(const std::string &name, mlir::Value a, mlir::Value b);

private:
  mlir::Value weight(const std::string &name, llvm::ArrayRef<int64_t> shape,
                     bool isVector, std::string_view configKey);

  std::map<std::string, mlir::Value> weights;
};

/// x + self_attn(input_layernorm(x)) of one layer.
mlir::Value buildAttention(GraphBuilder &graph, int64_t layer, mlir::Value x);

/// x + mlp(post_attention_layernorm(x)) of one layer.
mlir::Value buildMlp(GraphBuilder &graph, int64_t layer, mlir::Value x);

} // namespace qwen
