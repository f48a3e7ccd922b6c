// Parameters.h - a model's parameters as the interpreter reads them: by name,
// rows at a time.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace qwen::reference {

/// Fills `values` with rows row0 .. row0 + rows - 1 of a matrix [N, K], as
/// [rows, K]; a vector is one row. False when it cannot, after saying why.
using ParameterSource =
    std::function<bool(llvm::StringRef name, int64_t row0, int64_t rows,
                       std::vector<double> &values)>;

/// Reads a source, and keeps what it has read while there is room: a model of
/// any size runs, and a small one is read once.
class Parameters {
public:
  /// Kept values are f32, which holds those of every stored type exactly.
  Parameters(ParameterSource source, int64_t keptBytes)
      : source(std::move(source)), roomBytes(keptBytes) {}

  /// Calls `visit(n, row)` for every row of the [rows, columns] parameter;
  /// false when the source fails or gives another number of values.
  bool forEachRow(llvm::StringRef name, int64_t rows, int64_t columns,
                  llvm::function_ref<void(int64_t, const double *)> visit);

  /// One row of a matrix, or a whole vector; the same failures.
  bool row(llvm::StringRef name, int64_t n, int64_t columns,
           std::vector<double> &values);

private:
  ParameterSource source;
  int64_t roomBytes;
  std::map<std::string, std::vector<float>> kept;
};

} // namespace qwen::reference
