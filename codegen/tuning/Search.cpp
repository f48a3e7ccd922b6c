// Search.cpp - evolutionary exploration ranked by the cost model.
#include "codegen/tuning/Search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace qwen {
namespace {

constexpr size_t kParents = 4;
constexpr size_t kChildren = 96;   // drawn for each proposal
constexpr size_t kImmigrants = 32; // unseen points beside them
/// How many deviations below its mean a guess is ranked: unknown regions are
/// worth a look.
constexpr double kCuriosity = 1.0;
/// One of so many proposals is drawn blindly, so that a wrong model cannot hide
/// a point for ever.
constexpr int64_t kBlindEvery = 6;

} // namespace

Search::Search(std::vector<KernelSymbol> legal, size_t start, CostModel &model,
               Strategy strategy, uint64_t seed)
    : points(std::move(legal)), states(points.size()), startIndex(start),
      model(model), strategy(strategy), random(seed) {
  const std::vector<double> base = model.features(points[start]);
  for (size_t i = 0; i < points.size(); ++i) {
    states[i].difference = model.features(points[i]);
    for (size_t j = 0; j < base.size(); ++j)
      states[i].difference[j] -= base[j];
  }
}

std::vector<size_t> Search::unseen() const {
  std::vector<size_t> list;
  for (size_t i = 0; i < states.size(); ++i)
    if (!states[i].proposed)
      list.push_back(i);
  return list;
}

std::vector<size_t> Search::ranking() const {
  std::vector<size_t> list;
  for (size_t i = 0; i < states.size(); ++i)
    if (states[i].ratio > 0 && std::isfinite(states[i].ratio))
      list.push_back(i);
  std::sort(list.begin(), list.end(), [&](size_t a, size_t b) {
    return std::pair(states[a].ratio, a) < std::pair(states[b].ratio, b);
  });
  return list;
}

/// Index of a child of the parents; the number of points when it is not legal.
size_t Search::child(const std::vector<size_t> &parents) {
  std::vector<int64_t> point = points[parents[below(parents.size())]].point;
  const std::vector<int64_t> &other =
      points[parents[below(parents.size())]].point;
  for (size_t i = 0; i < point.size(); ++i)
    if (below(2))
      point[i] = other[i];
  // One knob more goes to the value of some other legal point.
  const size_t knob = below(point.size());
  point[knob] = points[below(points.size())].point[knob];
  const auto found =
      std::find_if(points.begin(), points.end(),
                   [&](const KernelSymbol &row) { return row.point == point; });
  return size_t(found - points.begin());
}

std::vector<size_t> Search::pool() {
  const std::vector<size_t> fresh = unseen();
  std::set<size_t> chosen;
  std::vector<size_t> parents = ranking();
  parents.resize(std::min(parents.size(), kParents));
  for (size_t i = 0; !parents.empty() && i < kChildren; ++i)
    if (const size_t index = child(parents);
        index < points.size() && !states[index].proposed)
      chosen.insert(index);
  for (size_t i = 0; !fresh.empty() && i < kImmigrants; ++i)
    chosen.insert(fresh[below(fresh.size())]);
  return {chosen.begin(), chosen.end()};
}

std::vector<size_t> Search::propose(int64_t count) {
  std::vector<size_t> chosen;
  while (int64_t(chosen.size()) < count) {
    const std::vector<size_t> fresh = unseen();
    if (fresh.empty())
      break;
    size_t best = fresh[below(fresh.size())];
    const bool blind = random() % kBlindEvery == 0;
    if (strategy == Strategy::Evolve && !blind) {
      double least = std::numeric_limits<double>::infinity();
      for (const size_t index : pool()) {
        const CostModel::Guess guess = model.guess(states[index].difference);
        const double rank = guess.mean - kCuriosity * guess.deviation;
        if (rank < least) {
          least = rank;
          best = index;
        }
      }
    }
    states[best].proposed = true;
    chosen.push_back(best);
  }
  return chosen;
}

void Search::tell(size_t index, double ratio) {
  // A point that fails teaches as much as one that takes twice as long.
  constexpr double kFailure = 2;
  states[index].proposed = true;
  states[index].ratio = ratio;
  if (index != startIndex)
    model.observe(states[index].difference,
                  std::log(std::isfinite(ratio) ? ratio : kFailure));
}

} // namespace qwen
