// Judge.cpp - comparisons and their bounds.
#include "tools/qwenc/verify/Judge.h"

#include "passes/ir/QwenOps.h"
#include "passes/reference/Bounds.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

namespace qwen::verify {
namespace {

using reference::Rows;

/// How much larger than independent errors of random sign the true ones may
/// grow on their way through the layers.
constexpr double kGrowth = 6;

Rows firstRows(const Rows &rows, int64_t count) {
  Rows first(count, rows.width);
  std::copy_n(rows.values.begin(), first.values.size(), first.values.begin());
  return first;
}

/// path:line:col of the first file position in a location.
std::string positionOf(mlir::Location location) {
  std::string text;
  location->walk([&](mlir::Location part) {
    auto file = llvm::dyn_cast<mlir::FileLineColLoc>(part);
    if (!file)
      return mlir::WalkResult::advance();
    text = file.getFilename().str() + ":" + std::to_string(file.getLine()) +
           ":" + std::to_string(file.getColumn());
    return mlir::WalkResult::interrupt();
  });
  return text;
}

} // namespace

std::string Finding::text(const std::string &ours,
                          const std::string &theirs) const {
  if (!complaint.empty())
    return complaint + "\n";
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << tap << ": row " << row << ", column " << column << ": " << ours
         << llvm::format(" has %.9g, ", value) << theirs
         << llvm::format(" %.9g; bound %.3g\n", reference, bound);
  stream << "  op " << op;
  if (int64_t layer = layerOf(tap); layer >= 0)
    stream << ", layer " << layer;
  if (!tensors.empty())
    stream << "\n  tensors " << tensors;
  if (!config.empty())
    stream << "\n  config " << config;
  if (!kernel.empty())
    stream << "\n  kernel " << kernel;
  stream << "\n";
  return text;
}

int64_t layerOf(llvm::StringRef name) {
  auto [before, after] = name.split(".layers.");
  int64_t layer = -1;
  if (after.take_until([](char c) { return c == '.'; }).getAsInteger(10, layer))
    return -1;
  return layer;
}

void describe(Finding &finding, mlir::Operation *op) {
  if (!op)
    return;
  finding.op = op->getName().getStringRef();
  for (mlir::Value operand : op->getOperands())
    if (auto weight = operand.getDefiningOp<ir::WeightOp>())
      finding.tensors +=
          (finding.tensors.empty() ? "" : ", ") + weight.getName().str();
  finding.config = positionOf(op->getLoc());
  finding.kernel = ir::getKernel(op).str();
}

std::optional<Finding> compare(const Rows &value, const Rows &reference,
                               const Rows &bound, double &worst) {
  std::optional<Finding> found;
  if (value.values.size() != reference.values.size()) {
    found.emplace();
    found->value = double(value.tokens);
    found->reference = double(reference.tokens);
    worst = INFINITY;
    return found;
  }
  for (size_t i = 0; i < value.values.size(); ++i) {
    double error = std::fabs(value.values[i] - reference.values[i]);
    double allowed = bound.values[i];
    if (std::isinf(allowed)) // what no op reads may be anything
      continue;
    if (!(error <= allowed) && !found) {
      found.emplace();
      found->row = int64_t(i) / value.width;
      found->column = int64_t(i) % value.width;
      found->value = value.values[i];
      found->reference = reference.values[i];
      found->bound = allowed;
    }
    double ratio = error == 0 ? 0 : error / allowed;
    worst = std::isnan(ratio) ? INFINITY : std::max(worst, ratio);
  }
  return found;
}

std::optional<Finding> compareRelative(const Rows &value, const Rows &reference,
                                       double relative) {
  double peak = 0, worst = 0;
  for (double x : reference.values)
    peak = std::max(peak, std::fabs(x));
  Rows bound(reference.tokens, reference.width);
  std::fill(bound.values.begin(), bound.values.end(), relative * peak);
  return compare(value, reference, bound, worst);
}

llvm::Error LocalJudge::prefill(const reference::Ids &ids,
                                const TapRows &taps) {
  reference::InterpreterOptions options;
  options.parameters = parameters;
  options.keptBytes = 0; // to read them again costs no more than to keep them
  options.check = [&](mlir::Operation *op, const Rows &value,
                      const Rows &bound) -> std::optional<Rows> {
    std::string name = ir::tapName(op);
    auto tap = taps.find(name);
    if (!ir::isCompute(op) || tap == taps.end())
      return std::nullopt;
    TapScore score;
    score.tap = name;
    score.layer = layerOf(name);
    std::optional<Finding> found =
        compare(tap->second, value, bound, score.local);
    ++compared;
    if (found && !first) {
      first = std::move(found);
      first->tap = name;
      describe(*first, op);
    }
    if (score.local > worst) {
      worst = score.local;
      worstTap = name;
    }
    scores.push_back(std::move(score));
    if (tap->second.values.size() != value.values.size())
      return std::nullopt;
    return tap->second;
  };
  Complaints complaints(scheduled.getContext());
  reference::Interpreter interpreter(std::move(options));
  if (mlir::failed(
          interpreter.run(scheduled.lookupSymbol<mlir::func::FuncOp>("prefill"),
                          {ids, int64_t(0), int64_t(0)})))
    return complaints.take();
  return llvm::Error::success();
}

llvm::Error LocalJudge::decode(const reference::Ids &ids,
                               const TapRows &prefillTaps,
                               const TapRows &decodeTaps) {
  bool decoding = false;
  reference::InterpreterOptions options;
  options.parameters = parameters;
  options.keptBytes = 0;
  options.check = [&](mlir::Operation *op, const Rows &value,
                      const Rows &bound) -> std::optional<Rows> {
    std::string name = ir::tapName(op);
    const TapRows &taps = decoding ? decodeTaps : prefillTaps;
    auto tap = taps.find(name);
    if (!ir::isCompute(op) || tap == taps.end())
      return std::nullopt;
    if (!decoding)
      return firstRows(tap->second, value.tokens);
    double ratio = 0;
    std::optional<Finding> found = compare(tap->second, value, bound, ratio);
    ++compared;
    if (found && !first) {
      first = std::move(found);
      first->tap = name;
      describe(*first, op);
    }
    if (ratio > worst) {
      worst = ratio;
      worstTap = name;
    }
    if (tap->second.values.size() != value.values.size())
      return std::nullopt;
    return tap->second;
  };
  Complaints complaints(scheduled.getContext());
  reference::Interpreter interpreter(std::move(options));
  auto count = int64_t(ids.size()) - 1;
  reference::Ids before(ids.begin(), ids.end() - 1);
  if (count > 0 && mlir::failed(interpreter.run(
                       scheduled.lookupSymbol<mlir::func::FuncOp>("prefill"),
                       {before, int64_t(0), count})))
    return complaints.take();
  decoding = true;
  if (mlir::failed(
          interpreter.run(scheduled.lookupSymbol<mlir::func::FuncOp>("decode"),
                          {reference::Ids{ids.back()}, count, int64_t(0)})))
    return complaints.take();
  return llvm::Error::success();
}

double relativeError(const Rows &value, const Rows &reference) {
  if (value.values.size() != reference.values.size())
    return INFINITY;
  double error = 0, size = 0;
  for (size_t i = 0; i < value.values.size(); ++i) {
    double difference = value.values[i] - reference.values[i];
    error += difference * difference;
    size += reference.values[i] * reference.values[i];
  }
  return std::isnan(error) ? INFINITY
         : size > 0        ? std::sqrt(error / size)
                           : std::sqrt(error);
}

namespace {

/// Caches of what the reference gave, before rounding, and what rounding them
/// loses.
class CacheLoss {
public:
  CacheLoss(ir::CacheType type, const TapRows &reference)
      : type(type), reference(reference) {}

  /// Relative, of rows appended by `op`.
  double ofRows(mlir::Operation *op) const {
    const Rows *rows = rowsOf(op);
    return rows ? relativeError(cache(*rows, isKeys(op)).round(*rows), *rows)
                : 0;
  }

  /// Relative, of the result of `op`; as its error may be any multiple of that
  /// of keys, both are computed.
  double ofAttention(ir::AttentionOp op) const {
    const Rows *q = rowsOf(op.getQ().getDefiningOp()),
               *k = rowsOf(op.getKeys().getDefiningOp()),
               *v = rowsOf(op.getValues().getDefiningOp());
    if (!q || !k || !v)
      return 0;
    auto attention = [&](bool rounded) {
      reference::Cache keys = cache(*k, true), values = cache(*v, false);
      if (!rounded)
        keys.element = values.element = "f32";
      keys.append(*k, 0);
      values.append(*v, 0);
      return reference::attention(*q, keys, values, type.getHeadWidth(), 0);
    };
    return relativeError(attention(true), attention(false));
  }

private:
  ir::CacheType type;
  const TapRows &reference;

  const Rows *rowsOf(mlir::Operation *op) const {
    auto rows = op ? reference.find(ir::tapName(op)) : reference.end();
    return rows == reference.end() ? nullptr : &rows->second;
  }
  static bool isKeys(mlir::Operation *op) {
    return llvm::isa<ir::KeyAppendOp>(op);
  }
  reference::Cache cache(const Rows &rows, bool keys) const {
    return {.width = rows.width,
            .capacity = rows.tokens,
            .headWidth = type.getHeadWidth(),
            .element = type.getElement().str(),
            .keys = keys,
            .values = {}};
  }
};

} // namespace

std::map<std::string, double>
accumulatedBounds(mlir::func::FuncOp step, const TapRows &reference,
                  const std::map<std::string, double> &weightNoise) {
  std::map<std::string, double> bounds;
  double squares = 0;
  for (mlir::Operation &op : step.getBody().front()) {
    if (!ir::isCompute(&op))
      continue;
    double longest = 1;
    for (mlir::Value operand : op.getOperands()) {
      if (auto cache = llvm::dyn_cast<ir::CacheType>(operand.getType()))
        if (cache.getElement() != "f32")
          squares += 0x1p-24;
      auto weight = operand.getDefiningOp<ir::WeightOp>();
      if (!weight)
        continue;
      ir::WeightType type = weight.getResult().getType();
      if (type.isMatrix())
        longest = std::max(longest, double(type.getDim(1)));
      if (auto noise = weightNoise.find(weight.getName().str());
          noise != weightNoise.end())
        squares += noise->second * noise->second;
    }
    squares += reference::kEpsilon * reference::kEpsilon * (4 + longest);
    if (auto quantize = llvm::dyn_cast<ir::QuantizeOp>(op)) {
      mlir::Operation *from = quantize.getX().getDefiningOp();
      if (auto rows =
              from ? reference.find(ir::tapName(from)) : reference.end();
          rows != reference.end()) {
        double loss =
            relativeError(reference::quantize(rows->second), rows->second);
        squares += loss * loss;
      }
    }
    double own = 0; // what others read is counted where they do
    if (auto attention = llvm::dyn_cast<ir::AttentionOp>(op)) {
      if (ir::CacheType type = attention.getKeys().getType();
          type.isQuantised())
        squares +=
            std::pow(CacheLoss(type, reference).ofAttention(attention), 2);
    } else if (auto cache =
                   llvm::dyn_cast<ir::CacheType>(op.getResult(0).getType());
               cache && cache.isQuantised()) {
      own = std::pow(CacheLoss(cache, reference).ofRows(&op), 2);
    }
    bounds[ir::tapName(&op)] = kGrowth * std::sqrt(squares + own);
  }
  return bounds;
}

} // namespace qwen::verify
