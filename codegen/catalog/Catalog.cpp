// Catalog.cpp - look-ups, argument lists and the choice of a schedule point.
#include "codegen/catalog/Catalog.h"

#include "qwen/cache_layout.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <sstream>

namespace qwen {
namespace {

constexpr int64_t kPanelRows = 16;

template <typename Rows> auto *findByName(Rows &rows, std::string_view name) {
  for (auto &row : rows)
    if (row.name == name)
      return &row;
  return static_cast<decltype(rows.data())>(nullptr);
}

template <typename Rows> std::string namesOf(const Rows &rows) {
  std::string text;
  for (const auto &row : rows)
    text += (text.empty() ? "" : ", ") + row.name;
  return text;
}

std::string joined(const std::vector<std::string> &words) {
  std::string text;
  for (const std::string &word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string joined(const std::vector<int64_t> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  return text;
}

bool contains(const std::vector<std::string> &words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The value of each option in declared order, empty for a flag that is absent.
std::optional<std::vector<std::string>>
matchOptions(const CatalogKernel &kernel,
             const std::vector<std::string> &options, std::string &error) {
  std::vector<std::string> values;
  size_t at = 0;
  for (const CatalogOption &option : kernel.options) {
    if (at < options.size() && contains(option.values, options[at])) {
      values.push_back(options[at++]);
    } else if (option.flag) {
      values.emplace_back();
    } else {
      error = "kernel `" + kernel.name + "` needs option `" + option.name +
              "`, one of " + joined(option.values) +
              (at < options.size() ? ", and got `" + options[at] + "`" : "");
      return std::nullopt;
    }
  }
  if (at < options.size()) {
    error = "kernel `" + kernel.name + "` takes no option `" + options[at] +
            "` here";
    return std::nullopt;
  }
  return values;
}

std::string optionValue(const CatalogKernel &kernel,
                        const std::vector<std::string> &values,
                        std::string_view name) {
  for (size_t i = 0; i < kernel.options.size(); ++i)
    if (kernel.options[i].name == name)
      return values[i];
  return "";
}

/// Bits of a sum of two products from which on it is worth having: 16 are no
/// use where one instruction adds four products.
int64_t leastSumBits(const KernelCatalog &catalog, const CatalogKernel &kernel,
                     const KernelSymbol &symbol) {
  const CatalogTarget *target = catalog.target(symbol.target);
  std::string ignored;
  const auto values = matchOptions(kernel, symbol.options, ignored);
  return !target || !values || target->quadDots ||
                 optionValue(kernel, *values, "act") != "q8g32"
             ? 32
             : 16;
}

bool isLegal(const CatalogKnob &knob, int64_t value, const KernelSymbol &symbol,
             int64_t leastBits) {
  if (std::find(knob.values.begin(), knob.values.end(), value) ==
      knob.values.end())
    return false;
  if (knob.onlyMany && symbol.dim("t") == 1 && value != knob.values.front())
    return false;
  if (knob.onlyOne && symbol.dim("t") != 1 && value != knob.values.front() &&
      value != knob.few)
    return false;
  if (knob.sumBits && value < leastBits)
    return false;
  if (knob.ordersLoops)
    return value == knob.values.front() ||
           symbol.dim(knob.divides) / knob.unit > 1;
  return knob.divides.empty() ||
         symbol.dim(knob.divides) / knob.unit % value == 0;
}

/// Largest legal value up to `wanted`, or the smallest legal one; the smallest
/// of all where none is legal.
int64_t legalUpTo(const CatalogKnob &knob, int64_t wanted,
                  const KernelSymbol &symbol, int64_t leastBits) {
  int64_t best = -1;
  for (int64_t value : knob.values)
    if (isLegal(knob, value, symbol, leastBits) &&
        (best < 0 || value <= wanted))
      best = value;
  return best < 0 && !knob.values.empty() ? knob.values.front() : best;
}

/// What a default may depend on, as words of `CatalogKnob::oneWith`.
std::vector<std::string> factsOf(const CatalogKernel &kernel,
                                 const std::vector<std::string> &values,
                                 const CatalogTarget &target,
                                 int64_t leastBits) {
  std::vector<std::string> facts = {"lanes=" + std::to_string(target.lanes),
                                    "sum_bits=" + std::to_string(leastBits)};
  for (size_t i = 0; i < values.size(); ++i)
    facts.push_back(kernel.options[i].name + "=" + values[i]);
  return facts;
}

int64_t wantedForOne(const CatalogKnob &knob,
                     const std::vector<std::string> &facts) {
  int64_t wanted = knob.one;
  for (const auto &[condition, value] : knob.oneWith) {
    std::istringstream words(condition);
    if (std::all_of(
            std::istream_iterator<std::string>(words), {},
            [&](const std::string &word) { return contains(facts, word); }))
      wanted = value;
  }
  return wanted;
}

/// How well an entry fits a symbol.
enum class Fit {
  None,
  OtherChunk, // measured for a chunk of other rows
  Exact
};

Fit fitOf(const ScheduleFile::Entry &entry, const KernelSymbol &symbol,
          const std::string &target) {
  if (entry.kernel != symbol.kernel ||
      (!entry.target.empty() && entry.target != target))
    return Fit::None;
  if (entry.measured && entry.options != symbol.options)
    return Fit::None;
  // Format and activations may have one name: an option counts as often as it
  // is there.
  const auto times = [](const std::vector<std::string> &list,
                        const std::string &option) {
    return std::count(list.begin(), list.end(), option);
  };
  for (const std::string &option : entry.options)
    if (times(entry.options, option) > times(symbol.options, option))
      return Fit::None;
  Fit fit = Fit::Exact;
  for (const auto &[dim, value] : entry.dims)
    if (symbol.dim(dim) != value) {
      if (!entry.measured || dim != "m")
        return Fit::None;
      fit = Fit::OtherChunk;
    }
  return fit;
}

/// Sets the knobs that the entry has, each to a legal value.
void takePoint(const ScheduleFile::Entry &entry, const CatalogKernel &kernel,
               int64_t leastBits, KernelSymbol &symbol) {
  for (const auto &[name, value] : entry.point)
    for (size_t i = 0; i < kernel.knobs.size(); ++i)
      if (kernel.knobs[i].name == name)
        symbol.point[i] = legalUpTo(kernel.knobs[i], value, symbol, leastBits);
}

} // namespace

int64_t CatalogPlane::streamBytes(int64_t rows, int64_t inner) const {
  return (rows + kPanelRows - 1) / kPanelRows * (inner / group) * pitchBytes;
}

namespace {

/// Of the streams of the first `count` planes.
int64_t planesBytes(const CatalogFormat &format, int64_t count, int64_t rows,
                    int64_t inner) {
  int64_t total = 0;
  for (const CatalogPlane &plane :
       std::span(format.planes).first(size_t(count)))
    if (plane.startBytes == 0)
      total += plane.streamBytes(rows, inner);
  return total;
}

} // namespace

int64_t CatalogFormat::bytes(int64_t rows, int64_t inner) const {
  return planesBytes(*this, int64_t(planes.size()), rows, inner);
}

int64_t CatalogFormat::coarseBytes(int64_t rows, int64_t inner) const {
  return planesBytes(*this, coarsePlanes, rows, inner);
}

bool CatalogFormat::takesStored(std::string_view type) const {
  return contains(storedTypes, type);
}
bool CatalogFormat::takesActivation(std::string_view activation) const {
  return contains(activations, activation);
}

const CatalogFormat *KernelCatalog::format(std::string_view name) const {
  return findByName(formats, name);
}
const CatalogKernel *KernelCatalog::kernel(std::string_view name) const {
  return findByName(kernels, name);
}
const CatalogTarget *KernelCatalog::target(std::string_view name) const {
  return findByName(targets, name);
}

std::optional<std::vector<KernelArgument>>
KernelCatalog::arguments(std::string_view kernelName,
                         const std::vector<std::string> &options,
                         std::string &error) const {
  const CatalogKernel *kernel = this->kernel(kernelName);
  if (!kernel) {
    error = "no kernel `" + std::string(kernelName) +
            "`; kernels: " + namesOf(kernels);
    return std::nullopt;
  }
  const auto values = matchOptions(*kernel, options, error);
  if (!values)
    return std::nullopt;
  const std::string formatName = optionValue(*kernel, *values, "format");
  const bool quantised = optionValue(*kernel, *values, "act") == "q8g32";
  const std::string kv = optionValue(*kernel, *values, "kv");

  std::vector<KernelArgument> list;
  for (const CatalogOperand &operand : kernel->operands) {
    if (!operand.when.empty() && !contains(options, operand.when))
      continue;
    if (operand.kind == "weight" || operand.kind == "coarse") {
      const CatalogFormat &used = *format(formatName);
      const std::vector<CatalogPlane> &planes = used.planes;
      const size_t count =
          operand.kind == "coarse" ? size_t(used.coarsePlanes) : planes.size();
      for (size_t i = 0; i < count; ++i)
        list.push_back({operand.name + "." + planes[i].name, operand.name,
                        operand.role, planes[i].element, int64_t(i)});
    } else if (operand.kind == "quantized" ||
               (operand.kind == "act" && quantised)) {
      list.push_back({"xq", operand.name, operand.role, "i8", -1});
      list.push_back({"xs", operand.name, operand.role, "f32", -1});
      list.push_back({"xsum", operand.name, operand.role, "i16", -1});
    } else if (operand.kind == "act") {
      list.push_back({"x", operand.name, operand.role, "f32", -1});
    } else if (operand.type == "kv") {
      // The head width matters to no plane's name or type.
      for (const CachePlane &plane : cachePlanes(kv, operand.kind == "keys", 0))
        list.push_back({operand.name + std::string(plane.suffix), operand.name,
                        operand.role, std::string(plane.type), -1});
    } else {
      list.push_back(
          {operand.name, operand.name, operand.role, operand.type, -1});
    }
  }
  return list;
}

std::optional<std::string>
KernelCatalog::check(const KernelSymbol &symbol) const {
  const CatalogKernel *kernel = this->kernel(symbol.kernel);
  if (!kernel)
    return "no kernel `" + symbol.kernel + "`; kernels: " + namesOf(kernels);
  if (!target(symbol.target))
    return "no target `" + symbol.target + "`; targets: " + namesOf(targets);
  std::string error;
  const auto values = matchOptions(*kernel, symbol.options, error);
  if (!values)
    return error;
  const std::string where = " of kernel `" + symbol.kernel + "`";
  std::vector<std::string> names;
  for (const auto &[name, value] : symbol.dims)
    names.push_back(name);
  if (names != kernel->dims)
    return "dims" + where + " are " + joined(kernel->dims) + ", and got " +
           joined(names);
  for (const auto &[name, value] : symbol.dims)
    if (name == "t" ? value != 0 && value != 1 : value < 1 || value > INT32_MAX)
      return "dim `" + name + "`" + where + " is " + std::to_string(value);
  for (const auto &[name, multiple] : kernel->multiples)
    if (symbol.dim(name) % multiple)
      return "dim `" + name + "`" + where + " is " +
             std::to_string(symbol.dim(name)) + ", not a multiple of " +
             std::to_string(multiple);
  if (const CatalogFormat *used =
          format(optionValue(*kernel, *values, "format"))) {
    if (symbol.dim("k") % used->innerMultiple)
      return "dim `k`" + where + " is " + std::to_string(symbol.dim("k")) +
             "; format `" + used->name + "` needs a multiple of " +
             std::to_string(used->innerMultiple);
    const std::string activation = optionValue(*kernel, *values, "act");
    if (!activation.empty() && !used->takesActivation(activation))
      return "format `" + used->name + "` takes activations " +
             joined(used->activations) + ", and got `" + activation + "`";
  }
  if (symbol.dim("m") > 0 && symbol.dim("n") > 0) {
    const int64_t rows =
        (symbol.dim("n") + kPanelRows - 1) / kPanelRows * kPanelRows;
    if (rows % symbol.dim("m"))
      return "dim `m`" + where + " is " + std::to_string(symbol.dim("m")) +
             ", which does not divide " + std::to_string(rows);
  }
  if (symbol.dim("m") > 0 && symbol.dim("c") > 0 &&
      symbol.dim("m") % symbol.dim("c"))
    return "dim `m`" + where + " is " + std::to_string(symbol.dim("m")) +
           ", not a multiple of c " + std::to_string(symbol.dim("c"));
  if (symbol.point.size() != kernel->knobs.size())
    return "kernel `" + symbol.kernel + "` has " +
           std::to_string(kernel->knobs.size()) + " knobs, and got " +
           std::to_string(symbol.point.size());
  const int64_t leastBits = leastSumBits(*this, *kernel, symbol);
  for (size_t i = 0; i < kernel->knobs.size(); ++i)
    if (!isLegal(kernel->knobs[i], symbol.point[i], symbol, leastBits))
      return "knob `" + kernel->knobs[i].name + "`" + where + " cannot be " +
             std::to_string(symbol.point[i]) +
             " here; values: " + joined(kernel->knobs[i].values);
  int64_t accumulators = 1;
  for (size_t i = 0; i < kernel->knobs.size(); ++i)
    if (kernel->knobs[i].registers)
      accumulators *= symbol.point[i];
  if (accumulators > kMostAccumulators)
    return "the point" + where + " has " + std::to_string(accumulators) +
           " accumulators a tile; at most " + std::to_string(kMostAccumulators);
  return std::nullopt;
}

std::optional<KernelSymbol> KernelCatalog::chooseSymbol(
    std::string_view kernelName, const std::vector<std::string> &options,
    const std::vector<std::pair<std::string, int64_t>> &dims,
    std::string_view targetName, const ScheduleFile *overrides,
    std::string &error) const {
  KernelSymbol symbol{
      std::string(kernelName), options, dims, std::string(targetName), {}};
  const CatalogKernel *kernel = this->kernel(kernelName);
  const CatalogTarget *target = this->target(targetName);
  if (kernel && target) {
    // Accumulators may take three quarters of the registers; operands need the
    // rest. One token has no more than hide the latency of their sums: it waits
    // for memory, which a loop over small tiles reads in fewer streams.
    const bool one = symbol.dim("t") == 1;
    const int64_t perValue = std::max<int64_t>(1, kPanelRows / target->lanes);
    // Where sums of two products are apart, they are what registers hold and a
    // tile's own stay in memory.
    const int64_t leastBits = leastSumBits(*this, *kernel, symbol);
    int64_t budget = target->registers * 3 / 4;
    if (one)
      budget = std::min(budget, kOneTokenAccumulators * perValue);
    else if (leastBits < 32)
      budget = kAccumulatorsInMemory * perValue;
    int64_t used = perValue;
    std::string ignored;
    const auto values = matchOptions(*kernel, options, ignored);
    const std::vector<std::string> facts =
        factsOf(*kernel, values.value_or(std::vector<std::string>()), *target,
                leastBits);
    for (const CatalogKnob &knob : kernel->knobs) {
      int64_t wanted = one ? wantedForOne(knob, facts) : knob.many;
      if (knob.registers)
        wanted = std::min(wanted, budget / used);
      symbol.point.push_back(legalUpTo(knob, wanted, symbol, leastBits));
      if (knob.registers)
        used *= std::max<int64_t>(1, symbol.point.back());
    }
    for (const ScheduleFile *file : {&schedules, overrides}) {
      if (!file)
        continue;
      // The last that fits counts.
      for (const std::string &of : {target->pointsOf, target->name})
        for (const Fit fit : {Fit::OtherChunk, Fit::Exact})
          for (const ScheduleFile::Entry &entry : file->entries)
            if (!of.empty() && fitOf(entry, symbol, of) == fit)
              takePoint(entry, *kernel, leastBits, symbol);
    }
  }
  if (std::optional<std::string> problem = check(symbol)) {
    error = *problem;
    return std::nullopt;
  }
  return symbol;
}

std::optional<KernelSymbol>
KernelCatalog::fewTokens(const KernelSymbol &symbol) const {
  const CatalogKernel *kernel = this->kernel(symbol.kernel);
  std::string ignored;
  if (!kernel || symbol.dim("t") != 0)
    return std::nullopt;
  const auto values = matchOptions(*kernel, symbol.options, ignored);
  if (!values || optionValue(*kernel, *values, "act") != "q8g32")
    return std::nullopt;
  KernelSymbol few = symbol;
  for (size_t i = 0; i < kernel->knobs.size() && i < few.point.size(); ++i)
    if (kernel->knobs[i].few != 0)
      few.point[i] = kernel->knobs[i].few;
  if (few.point == symbol.point || check(few))
    return std::nullopt;
  return few;
}

const CatalogTarget *KernelCatalog::host() const {
  for (const CatalogTarget &target : targets)
    if (std::all_of(target.features.begin(), target.features.end(),
                    cpuHasFeature))
      return &target;
  return nullptr;
}

int64_t chunkRows(const CatalogFormat &format, int64_t rows, int64_t inner,
                  int64_t multiple, int64_t matrices, int64_t wantedBytes) {
  constexpr int64_t kWantedChunks = 8;
  const int64_t unit = multiple <= kPanelRows       ? kPanelRows
                       : multiple % kPanelRows == 0 ? multiple
                                                    : multiple * kPanelRows;
  const int64_t units =
      (rows + kPanelRows - 1) / kPanelRows * kPanelRows / unit;
  const int64_t unitBytes =
      std::max<int64_t>(1, matrices * format.bytes(unit, inner));
  int64_t best = 1;
  double bestDistance = 1e300;
  for (int64_t count = 1; count <= units; ++count) {
    if (units % count)
      continue;
    // Distance from the wanted size as a ratio; too few chunks, or panels that
    // no tile of two divides, count as worse.
    const double ratio = double(count * unitBytes) / double(wantedBytes);
    double distance = ratio > 1 ? ratio : 1 / ratio;
    const int64_t chunks = units / count;
    if (chunks < std::min(kWantedChunks, units))
      distance *= 1.0 + double(kWantedChunks) / double(chunks) * 0.5;
    if (count * unit / kPanelRows % 2)
      distance *= 1.25;
    if (distance < bestDistance) {
      bestDistance = distance;
      best = count;
    }
  }
  return best * unit;
}

} // namespace qwen
