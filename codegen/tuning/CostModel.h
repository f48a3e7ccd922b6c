// CostModel.h - guesses how a point's time compares with the default's, from
// what has been measured of any kernel in this run.
//
// Numerics  Bayesian ridge regression of ln(time / default's time) on the
// difference of the two points' features; the prior mean of a few weights says
// what every CPU punishes (spills, loads, too few independent sums)
#pragma once

#include "codegen/catalog/Catalog.h"

#include <string>
#include <vector>

namespace qwen {

class CostModel {
public:
  explicit CostModel(const KernelCatalog &catalog);

  /// Features of a point, the same names in the same order for every kernel:
  /// vector accumulators, registers beyond the file, loads for each
  /// multiplication, missing independent sums, weight bytes for each token and
  /// beyond the first-level cache; then each knob's logarithm and its square.
  /// All of it twice: for one token and for many.
  std::vector<double> features(const KernelSymbol &symbol) const;

  struct Guess {
    double mean;      // ln(time / default's time)
    double deviation; // of the mean
  };
  Guess guess(const std::vector<double> &difference);
  void observe(const std::vector<double> &difference, double logRatio);

private:
  const KernelCatalog &catalog;
  std::vector<std::string> knobNames;
  int64_t size;
  std::vector<double> precision; // [size, size], prior included
  std::vector<double> moment;    // precision times the mean
  std::vector<double> factor;    // Cholesky factor of precision, lower
  std::vector<double> weights;
  bool stale = true;

  void fit();
};

/// False when the target's registers or caches rule the point out before
/// anything is compiled: more accumulators than registers, activations of a
/// token tile beyond the second-level cache, or an order of loops of which one
/// has a single turn.
bool fitsTarget(const KernelCatalog &catalog, const KernelSymbol &symbol);

} // namespace qwen
