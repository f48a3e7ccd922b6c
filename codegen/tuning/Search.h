// Search.h - which points of one kernel to try next, given what those tried so
// far took.
//
// Deterministic: equal seeds and equal figures give equal proposals.
#pragma once

#include "codegen/tuning/CostModel.h"

#include <cstdint>
#include <random>
#include <vector>

namespace qwen {

enum class Strategy {
  Evolve, // children of the best points, ranked by the cost model
  Random  // uniform, to compare with
};

class Search {
public:
  /// `points` are all legal ones, `start` the default among them.
  Search(std::vector<KernelSymbol> points, size_t start, CostModel &model,
         Strategy strategy, uint64_t seed);

  /// At most `count` indices that were never proposed; none when all were.
  std::vector<size_t> propose(int64_t count);
  /// A point's time over the default's; infinite when it failed.
  void tell(size_t index, double ratio);

  size_t size() const { return points.size(); }
  const KernelSymbol &point(size_t index) const { return points[index]; }
  size_t start() const { return startIndex; }
  /// Told points by their ratio, best first; failed ones are not among them.
  std::vector<size_t> ranking() const;

private:
  struct State {
    bool proposed = false;
    double ratio = 0; // 0: not told
    std::vector<double> difference;
  };
  std::vector<KernelSymbol> points;
  std::vector<State> states;
  size_t startIndex;
  CostModel &model;
  const Strategy strategy;
  std::mt19937_64 random;

  size_t below(size_t bound) { return size_t(random() % bound); }
  std::vector<size_t> unseen() const;
  std::vector<size_t> pool();
  size_t child(const std::vector<size_t> &parents);
};

} // namespace qwen
