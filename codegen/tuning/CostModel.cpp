// CostModel.cpp - features and the regression.
#include "codegen/tuning/CostModel.h"

#include <algorithm>
#include <cmath>

namespace qwen {
namespace {

constexpr double kNoise = 0.05;  // of a measured ln ratio
constexpr double kSpread = 0.15; // of a weight around its prior mean
constexpr int64_t kPanelRows = 16;

/// Shape features come before the knobs'.
struct Shape {
  double accumulators = 0, spilled = 0, loads = 0, missingSums = 0, traffic = 0,
         beyondCache = 0;
  std::vector<double> list() const {
    return {accumulators, spilled, loads, missingSums, traffic, beyondCache};
  }
};
/// What a unit of each shape feature costs before anything is measured.
constexpr double kPriorWeights[] = {0, 0.5, 0.15, 0.1, 0.05, 0.05};

/// Vector registers of one value of 16 lanes.
int64_t registersPerValue(const CatalogTarget &target) {
  return std::max<int64_t>(1, kPanelRows / target.lanes);
}

int64_t accumulatorsOf(const CatalogKernel &kernel,
                       const KernelSymbol &symbol) {
  int64_t count = 1;
  for (size_t i = 0; i < kernel.knobs.size(); ++i)
    if (kernel.knobs[i].registers)
      count *= symbol.point[i];
  return count;
}

int64_t tokenTile(const CatalogKernel &kernel, const KernelSymbol &symbol) {
  int64_t tile = 1;
  for (size_t i = 0; i < kernel.knobs.size(); ++i)
    if (kernel.knobs[i].onlyMany && kernel.knobs[i].registers)
      tile *= symbol.point[i];
  return tile;
}

double chunkBytes(const KernelCatalog &catalog, const KernelSymbol &symbol) {
  for (const std::string &option : symbol.options)
    if (const CatalogFormat *format = catalog.format(option))
      return symbol.dim("m") > 0 && symbol.dim("k") > 0
                 ? double(format->bytes(symbol.dim("m"), symbol.dim("k")))
                 : 0;
  return 0;
}

Shape shapeOf(const KernelCatalog &catalog, const CatalogKernel &kernel,
              const CatalogTarget &target, const KernelSymbol &symbol) {
  Shape shape;
  const int64_t perValue = registersPerValue(target);
  const int64_t sums = accumulatorsOf(kernel, symbol) * perValue;
  int64_t widest = 1;
  for (size_t i = 0; i < kernel.knobs.size(); ++i)
    if (kernel.knobs[i].registers) {
      widest = std::max(widest, symbol.point[i]);
      shape.loads += 1 / double(symbol.point[i]);
    }
  // Operands of one step need registers beside the sums.
  const auto registers = double(target.registers);
  const double used = double(sums + std::min<int64_t>(widest, 4) * perValue);
  shape.accumulators = std::log2(double(sums));
  shape.spilled = std::max(0.0, used - registers) / registers;
  // Two multiply-adds a cycle of four cycles each: eight sums hide the latency.
  shape.missingSums = std::max(0.0, 3 - std::log2(double(sums)));
  const double bytes = chunkBytes(catalog, symbol);
  const auto tile = double(tokenTile(kernel, symbol));
  if (bytes > 0 && symbol.dim("t") != 1) {
    shape.traffic = 1 / tile;
    shape.beyondCache =
        std::max(0.0, std::log2(bytes / double(target.l1Bytes))) / tile;
  }
  return shape;
}

/// Whether a knob orders two loops of which one has a single turn.
bool ordersNothing(const CatalogKernel &kernel, const KernelSymbol &symbol) {
  for (size_t i = 0; i < kernel.knobs.size(); ++i) {
    const CatalogKnob &order = kernel.knobs[i];
    if (!order.ordersLoops || symbol.point[i] == order.values.front())
      continue;
    for (size_t j = 0; j < kernel.knobs.size(); ++j)
      if (kernel.knobs[j].registers &&
          kernel.knobs[j].divides == order.divides &&
          symbol.dim(order.divides) / order.unit == symbol.point[j])
        return true;
  }
  return false;
}

} // namespace

CostModel::CostModel(const KernelCatalog &catalog) : catalog(catalog) {
  for (const CatalogKernel &kernel : catalog.kernels)
    for (const CatalogKnob &knob : kernel.knobs)
      if (std::find(knobNames.begin(), knobNames.end(), knob.name) ==
          knobNames.end())
        knobNames.push_back(knob.name);
  const int64_t shapes = std::size(kPriorWeights);
  const int64_t half = shapes + 2 * int64_t(knobNames.size());
  size = 2 * half;
  precision.assign(size_t(size * size), 0);
  moment.assign(size_t(size), 0);
  for (int64_t i = 0; i < size; ++i) {
    precision[size_t(i * size + i)] = 1 / (kSpread * kSpread);
    if (i % half < shapes)
      moment[size_t(i)] =
          kPriorWeights[i % half] * precision[size_t(i * size + i)];
  }
}

std::vector<double> CostModel::features(const KernelSymbol &symbol) const {
  const CatalogKernel *kernel = catalog.kernel(symbol.kernel);
  const CatalogTarget *target = catalog.target(symbol.target);
  std::vector<double> half(size_t(size / 2));
  if (kernel && target) {
    half = shapeOf(catalog, *kernel, *target, symbol).list();
    const size_t shapes = half.size();
    half.resize(size_t(size / 2));
    for (size_t i = 0; i < kernel->knobs.size(); ++i) {
      const auto name =
          std::find(knobNames.begin(), knobNames.end(), kernel->knobs[i].name);
      const size_t at = shapes + 2 * size_t(name - knobNames.begin());
      half[at] = std::log2(double(symbol.point[i] + 1));
      half[at + 1] = half[at] * half[at];
    }
  }
  std::vector<double> all(size_t(size), 0);
  std::copy(half.begin(), half.end(),
            all.begin() + (symbol.dim("t") == 1 ? 0 : size / 2));
  return all;
}

void CostModel::observe(const std::vector<double> &difference,
                        double logRatio) {
  const double weight = 1 / (kNoise * kNoise);
  for (int64_t i = 0; i < size; ++i) {
    moment[size_t(i)] += weight * difference[size_t(i)] * logRatio;
    for (int64_t j = 0; j < size; ++j)
      precision[size_t(i * size + j)] +=
          weight * difference[size_t(i)] * difference[size_t(j)];
  }
  stale = true;
}

void CostModel::fit() {
  factor = precision;
  const auto at = [&](int64_t i, int64_t j) -> double & {
    return factor[size_t(i * size + j)];
  };
  for (int64_t j = 0; j < size; ++j) {
    for (int64_t k = 0; k < j; ++k)
      at(j, j) -= at(j, k) * at(j, k);
    at(j, j) = std::sqrt(at(j, j));
    for (int64_t i = j + 1; i < size; ++i) {
      for (int64_t k = 0; k < j; ++k)
        at(i, j) -= at(i, k) * at(j, k);
      at(i, j) /= at(j, j);
    }
  }
  weights = moment;
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t k = 0; k < i; ++k)
      weights[size_t(i)] -= at(i, k) * weights[size_t(k)];
    weights[size_t(i)] /= at(i, i);
  }
  for (int64_t i = size - 1; i >= 0; --i) {
    for (int64_t k = i + 1; k < size; ++k)
      weights[size_t(i)] -= at(k, i) * weights[size_t(k)];
    weights[size_t(i)] /= at(i, i);
  }
  stale = false;
}

CostModel::Guess CostModel::guess(const std::vector<double> &difference) {
  if (stale)
    fit();
  double mean = 0, variance = 0;
  std::vector<double> solved = difference; // L^-1 x
  for (int64_t i = 0; i < size; ++i) {
    mean += weights[size_t(i)] * difference[size_t(i)];
    for (int64_t k = 0; k < i; ++k)
      solved[size_t(i)] -= factor[size_t(i * size + k)] * solved[size_t(k)];
    solved[size_t(i)] /= factor[size_t(i * size + i)];
    variance += solved[size_t(i)] * solved[size_t(i)];
  }
  return {mean, std::sqrt(variance)};
}

bool fitsTarget(const KernelCatalog &catalog, const KernelSymbol &symbol) {
  const CatalogKernel *kernel = catalog.kernel(symbol.kernel);
  const CatalogTarget *target = catalog.target(symbol.target);
  if (!kernel || !target)
    return false;
  if (accumulatorsOf(*kernel, symbol) * registersPerValue(*target) >
          target->registers ||
      ordersNothing(*kernel, symbol))
    return false;
  constexpr int64_t kWidestElement = 4; // bytes of an f32 activation
  const int64_t inner = std::max<int64_t>(0, symbol.dim("k"));
  return tokenTile(*kernel, symbol) * inner * kWidestElement <= target->l2Bytes;
}

} // namespace qwen
