// Bisect.cpp - every stage interpreted, each held to the one before.
#include "tools/qwenc/verify/Bisect.h"

#include "passes/ir/QwenOps.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace qwen::verify {
namespace {

/// Of f64 sums in another order, far below what any other meaning gives.
constexpr double kSame = 1e-9;

reference::Rows lastRow(const reference::Rows &rows) {
  reference::Rows last(1, rows.width);
  std::copy_n(rows.row(rows.tokens - 1), rows.width, last.values.begin());
  return last;
}

/// A step that cannot be interpreted.
Finding meaningless(const char *step, llvm::Error error) {
  Finding finding;
  finding.tap = step;
  finding.complaint = llvm::toString(std::move(error));
  return finding;
}

std::optional<Finding> compareDecode(mlir::ModuleOp module, Stages &stages,
                                     const reference::Ids &ids,
                                     const TapRows &reference) {
  TapRows given;
  llvm::Expected<TapRows> decoded =
      interpretDecode(module, stages.stored(), ids, &given);
  if (!decoded)
    return meaningless("decode", decoded.takeError());
  TapRows wanted;
  for (const auto &[name, rows] : reference)
    wanted[name] = lastRow(rows);
  std::optional<Finding> found =
      compareMeaning(decodeOf(module), *decoded, wanted);
  auto screened = module.lookupSymbol<mlir::func::FuncOp>("decode_screened");
  if (found || !screened)
    return found;
  // It has the largest logits, and may lack the others; its token is that of
  // all.
  screened.walk([&](ir::ArgmaxOp op) {
    mlir::Operation *scores = op.getLogits().getDefiningOp();
    auto logits = wanted.find(scores ? ir::tapName(scores) : "");
    if (logits == wanted.end())
      return;
    wanted[ir::tapName(op)] =
        idRow(reference::argmax(logits->second, op.getEligible()).front());
    auto few = given.find(logits->first);
    if (few == given.end())
      return;
    std::vector<double> largest(logits->second.row(0),
                                logits->second.row(0) + op.getEligible());
    std::sort(largest.begin(), largest.end(), std::greater<>());
    const double least =
        largest[std::min(size_t(kScreenedRank), largest.size()) - 1];
    for (int64_t n = 0; n < logits->second.width; ++n)
      if (double &score = few->second.row(0)[n];
          std::isinf(score) && logits->second.row(0)[n] < least)
        score = logits->second.row(0)[n];
  });
  return compareMeaning(screened, given, wanted);
}

} // namespace

std::optional<Finding> compareMeaning(mlir::func::FuncOp step,
                                      const TapRows &now,
                                      const TapRows &before) {
  for (mlir::Operation &op : step.getBody().front()) {
    if (!ir::isCompute(&op) || llvm::isa<ir::QuantizeOp>(op))
      continue;
    auto here = now.find(ir::tapName(&op)),
         there = before.find(ir::tapName(&op));
    if (here == now.end() || there == before.end())
      continue;
    std::optional<Finding> found =
        compareRelative(here->second, there->second, kSame);
    if (!found)
      continue;
    found->tap = here->first;
    describe(*found, &op);
    return found;
  }
  return std::nullopt;
}

std::optional<Finding> meaningChanged(Stages &stages, const reference::Ids &ids,
                                      const TapRows &reference) {
  mlir::ModuleOp scheduled = stages.after("partition");
  llvm::Expected<TapRows> now =
      interpret(scheduled, stages.stored(), ids, /*exactRows=*/true);
  if (!now)
    return meaningless("prefill", now.takeError());
  std::optional<Finding> found =
      compareMeaning(stepOf(scheduled), *now, reference);
  return found ? found : compareDecode(scheduled, stages, ids, reference);
}

std::optional<PassFault> bisect(Stages &stages, const reference::Ids &ids,
                                const TapRows &reference) {
  // A graph that takes one token for another is wrong before any pass.
  if (auto found = compareDecode(stages.imported(), stages, ids, reference))
    return PassFault{"import", *found};
  TapRows before = reference;
  for (const Stage &stage : stages.all()) {
    mlir::func::FuncOp step = stepOf(*stage.module);
    if (!step || stage.pass == "import")
      continue;
    llvm::Expected<TapRows> now =
        interpret(*stage.module, stages.stored(), ids, /*exactRows=*/true);
    if (!now)
      return PassFault{stage.pass, meaningless("prefill", now.takeError())};
    std::optional<Finding> found = compareMeaning(step, *now, before);
    if (!found && mlir::ModuleOp(*stage.module)
                      .lookupSymbol<mlir::func::FuncOp>("decode"))
      found = compareDecode(*stage.module, stages, ids, reference);
    if (found)
      return PassFault{stage.pass, *found};
    // Names that fusing took away are held to the import.
    for (auto &[name, rows] : *now)
      before[name] = std::move(rows);
  }
  return std::nullopt;
}

} // namespace qwen::verify
