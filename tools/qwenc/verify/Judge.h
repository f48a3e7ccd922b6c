// Judge.h - an executable's taps against bounds: of each op on its own, given
// the executable's own inputs, and of what has added up since the first.
#pragma once

#include "passes/reference/Interpreter.h"
#include "tools/qwenc/verify/Arrays.h"
#include "tools/qwenc/verify/Stages.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qwen::verify {

/// One value that is not what it must be.
struct Finding {
  std::string tap;
  int64_t row = 0, column = 0;
  double value = 0, reference = 0, bound = 0;
  std::string op;        // "qwen.linear_rope"
  std::string tensors;   // the checkpoint's names, separated by commas
  std::string config;    // path:line:col, or empty
  std::string kernel;    // symbol, or empty
  std::string complaint; // of the interpreter: then nothing was compared

  /// Lines for people.
  std::string text(const std::string &ours, const std::string &theirs) const;
};

/// What is known of one tap of a step.
struct TapScore {
  std::string tap;
  int64_t layer = -1;      // -1 outside the layers
  double local = 0;        // largest error in units of the bound
  double accumulated = -1; // relative root mean square; -1: not compared
  double bound = 0;        // of `accumulated`
};

/// Layer in a name of Hugging Face's; -1 without one.
int64_t layerOf(llvm::StringRef name);

/// op, tensors, place and kernel of a finding.
void describe(Finding &finding, mlir::Operation *op);

/// The first element of `value` outside `bound` of `reference`, NaN being
/// outside; `worst` becomes the largest error in units of the bound.
std::optional<Finding> compare(const reference::Rows &value,
                               const reference::Rows &reference,
                               const reference::Rows &bound, double &worst);

/// The same with one bound for all: `relative` of the largest magnitude of the
/// reference.
std::optional<Finding> compareRelative(const reference::Rows &value,
                                       const reference::Rows &reference,
                                       double relative);

/// Runs the scheduled module with the executable's own results as every op's
/// inputs.
class LocalJudge {
public:
  LocalJudge(mlir::ModuleOp scheduled, reference::ParameterSource parameters)
      : scheduled(scheduled), parameters(std::move(parameters)) {}

  /// The error of an op that cannot be interpreted.
  llvm::Error prefill(const reference::Ids &ids, const TapRows &taps);
  /// The last token of `ids`, after the others as `prefillTaps` say.
  llvm::Error decode(const reference::Ids &ids, const TapRows &prefillTaps,
                     const TapRows &decodeTaps);

  std::optional<Finding> first; // outside its bound
  std::vector<TapScore> scores; // in the order of the step, of `prefill`
  double worst = 0;             // over both
  std::string worstTap;
  int64_t compared = 0;

private:
  mlir::ModuleOp scheduled;
  reference::ParameterSource parameters;
};

/// Relative root mean square of value - reference.
double relativeError(const reference::Rows &value,
                     const reference::Rows &reference);

/// What rounding may add up to, as a relative root mean square, at each op of
/// `step`: kGrowth times the root of the sum of squares of what every op so
/// far may lose on its own: f32 arithmetic, quantised rows (as measured on the
/// reference's values), and weights (`weightNoise`, by tensor).
std::map<std::string, double>
accumulatedBounds(mlir::func::FuncOp step, const TapRows &reference,
                  const std::map<std::string, double> &weightNoise);

} // namespace qwen::verify
