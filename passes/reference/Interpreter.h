// Interpreter.h - runs a function of graph or fused ops on host values in f64:
// what the compiled program is judged by.
#pragma once

#include "passes/reference/Arithmetic.h"
#include "passes/reference/Parameters.h"

#include "passes/ir/QwenDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace qwen::reference {

/// Token ids [T].
using Ids = std::vector<int32_t>;

/// What a function takes and gives: rows, ids, or an index.
using HostValue = std::variant<Rows, Ids, int64_t>;

/// Called after each op that gives rows, with the name in the op's location
/// ("model.layers.3.mlp.up_proj"). An append gives the rows that it writes; an
/// attention op gives AttentionRows first, as NAME.scores and NAME.softmax.
using Tap = std::function<void(llvm::StringRef name, const Rows &rows)>;

/// Called after each op that gives rows, with what f32 kernels may be off by
/// from the same inputs (Bounds.h); an append gives what it writes, before it
/// is rounded to the cache's element, and a `quantize` its input. Rows that it
/// returns stand for the op's result from then on.
using Check = std::function<std::optional<Rows>(
    mlir::Operation *op, const Rows &value, const Rows &bound)>;

struct InterpreterOptions {
  ParameterSource parameters;
  int64_t keptBytes = int64_t(1) << 30; // of parameters held in memory
  Tap tap;
  Check check;
};

/// Holds the caches from one call to the next, as the runtime does.
class Interpreter {
public:
  explicit Interpreter(InterpreterOptions options);

  /// One step. Fails, with an error on the op, for an op that has no meaning on
  /// tensors, a parameter that cannot be read, an id outside the embedding, or
  /// a position outside the cache.
  mlir::FailureOr<std::vector<HostValue>> run(mlir::func::FuncOp function,
                                              std::vector<HostValue> arguments);

  /// Forgets what is in the caches.
  void clear() { caches.clear(); }

private:
  friend class Step;

  InterpreterOptions options;
  Parameters parameters;
  std::map<std::pair<int64_t, ir::CacheKind>, Cache> caches;
};

} // namespace qwen::reference
