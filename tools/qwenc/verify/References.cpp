// References.cpp - what a reference says about the model as imported.
#include "tools/qwenc/verify/References.h"

#include "frontend/weights/Dequantize.h"
#include "passes/ir/QwenOps.h"
#include "tools/qwenc/ModelText.h"
#include "tools/qwenc/verify/Bisect.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>
#include <cstdio>

namespace qwen::verify {
namespace {

using reference::Rows;

/// What storing a value in this type may lose of it, relative to the largest
/// of its neighbours.
double storageLoss(llvm::StringRef type) {
  return llvm::StringSwitch<double>(type)
      .Case("f32", 0x1p-24)
      .Case("f16", 0x1p-11)
      .Case("bf16", 0x1p-8)
      .Case("q8_0", 0.01)
      .Default(0.3);
}

/// Lines about the tensors that differ by more than their types explain.
std::vector<std::string> differentTensors(const TensorIndex &ours,
                                          const TensorIndex &theirs) {
  std::vector<std::string> lines;
  std::vector<double> a, b;
  for (const auto &[name, tensor] : theirs) {
    auto mine = ours.find(name);
    if (mine == ours.end()) {
      lines.push_back("`" + name + "` is missing");
      continue;
    }
    if (mine->second.shape != tensor.shape) {
      lines.push_back("`" + name + "` has another shape");
      continue;
    }
    double error = 0, size = 0, peak = 0;
    int64_t row = 0, count = tensor.shape.size() > 1 ? tensor.shape[0] : 1;
    for (int64_t n = 0; n < count; ++n) {
      if (!readTensorRows(mine->second, n, 1, a) ||
          !readTensorRows(tensor, n, 1, b))
        break;
      for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
        double difference = std::fabs(a[i] - b[i]);
        error += difference * difference;
        size += b[i] * b[i];
        if (!(difference <= peak)) {
          peak = difference;
          row = n;
        }
      }
    }
    double relative = std::sqrt(error / (size > 0 ? size : 1));
    double loss =
        storageLoss(mine->second.storedType) + storageLoss(tensor.storedType);
    // One wrong row of many hides in the whole, so the largest error counts
    // too: no rounding is many times the whole's.
    double typical =
        std::sqrt(size / double(std::max<size_t>(1, size_t(count) * b.size())));
    if (relative <= loss && peak <= 8 * loss * typical)
      continue;
    char text[96];
    std::snprintf(text, sizeof(text),
                  "` differs by %.2e of its size, most in row %lld", relative,
                  (long long)row);
    lines.push_back("`" + name + text);
  }
  return lines;
}

} // namespace

reference::Ids idsOf(const TapRows &captured) {
  reference::Ids ids;
  if (auto found = captured.find(kIdsName); found != captured.end())
    for (double id : found->second.values)
      ids.push_back(int32_t(id));
  return ids;
}

void judgeCaptured(const std::string &path, const TapRows &captured,
                   mlir::func::FuncOp imported, const TapRows &ours,
                   Report &report) {
  std::map<std::string, double> bounds = accumulatedBounds(imported, ours, {});
  double worst = 0;
  int64_t compared = 0;
  mlir::Operation *lastOfLayers = nullptr;
  for (mlir::Operation &op : imported.getBody().front())
    if (llvm::isa<ir::AddOp>(op))
      lastOfLayers = &op;
  for (mlir::Operation &op : imported.getBody().front()) {
    std::string name = ir::tapName(&op);
    auto theirs = captured.find(name);
    auto mine = ours.find(name);
    if (!ir::isCompute(&op) || theirs == captured.end() || mine == ours.end())
      continue;
    ++compared;
    double error = relativeError(mine->second, theirs->second);
    worst = std::max(worst, error / bounds[name]);
    if (error <= bounds[name] || !report.faults.empty())
      continue;
    Finding finding;
    if (auto found =
            compareRelative(mine->second, theirs->second, bounds[name]))
      finding = *found;
    finding.tap = name;
    describe(finding, &op);
    std::string detail = finding.text("the imported graph", path);
    auto normed = ours.find("model.norm");
    if (&op == lastOfLayers && normed != ours.end() &&
        relativeError(normed->second, theirs->second) <= bounds[name]) {
      detail += "  the reference has the final norm applied here, as the last "
                "of transformers' hidden_states has: it does not mean what its "
                "name says\n";
      report.faults.push_back(
          {Blame::Frontend, "reference: `" + name + "` is norm(`" + name + "`)",
           detail, true});
      continue;
    }
    report.faults.push_back(
        {Blame::Frontend, "frontend: `" + name + "`", detail, true});
  }
  if (compared == 0)
    report.faults.push_back({Blame::Frontend, "reference: no tap in common",
                             "`" + path + "` has no tap of this model\n"});
  char text[96];
  std::snprintf(text, sizeof(text), "%lld taps, worst %.3f of its bound",
                (long long)compared, worst);
  report.add("reference", report.faults.empty(), text);
}

void judgeCheckpoint(Stages &stages, Stages &other, const reference::Ids &ids,
                     const TapRows &ours, Report &report) {
  std::vector<std::string> lines =
      differentTensors(*stages.source().tensors, *other.source().tensors);
  std::string ourSpec = specText(stages.source().spec),
              theirSpec = specText(other.source().spec);
  if (ourSpec != theirSpec)
    lines.insert(lines.begin(), "the configs give different specs");
  std::string detail;
  for (size_t i = 0; i < lines.size() && i < 8; ++i)
    detail += "  " + lines[i] + "\n";
  if (lines.size() > 8)
    detail += "  and " + std::to_string(lines.size() - 8) + " more\n";
  std::optional<Finding> finding;
  llvm::Expected<TapRows> theirs =
      interpret(other.imported(), other.stored(), ids, false);
  if (theirs)
    finding = compareMeaning(stepOf(other.imported()), ours, *theirs);
  else
    detail +=
        "  in the reference, " + llvm::toString(theirs.takeError()) + "\n";
  if (finding)
    detail = finding->text("this model", "the reference") + detail;
  report.add(
      "reference", lines.empty() && !finding,
      std::to_string(lines.size()) + " of " +
          std::to_string(other.source().tensors->size()) + " tensors differ" +
          (finding ? "; the first tap that does is " + finding->tap : ""));
  if (!lines.empty())
    report.faults.push_back(
        {Blame::Checkpoint, "checkpoint: " + lines.front(), detail, true});
  else if (finding)
    report.faults.push_back(
        {Blame::Frontend, "frontend: `" + finding->tap + "`", detail, true});
}

} // namespace qwen::verify
