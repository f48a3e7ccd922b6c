// Tuned.cpp - measured schedule files as JSON.
#include "codegen/catalog/Tuned.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace qwen {
namespace {

using nlohmann::ordered_json;

/// The context's length is no part of an entry's dims: a point serves every
/// length, and this one is kept beside the figures.
constexpr const char *kContext = "s";

bool isSameKernel(const KernelSymbol &a, const KernelSymbol &b) {
  const auto dims = [](const KernelSymbol &symbol) {
    auto list = symbol.dims;
    std::erase_if(list, [](const auto &dim) { return dim.first == kContext; });
    return list;
  };
  return a.kernel == b.kernel && a.options == b.options && dims(a) == dims(b) &&
         a.target == b.target;
}

/// Nanoseconds are finer than any measurement here, and keep files readable.
double rounded(double microseconds) {
  return std::round(microseconds * 1e3) / 1e3;
}

ordered_json kernelJson(const TunedKernel &kernel) {
  ordered_json row = {{"kernel", kernel.symbol.kernel},
                      {"options", kernel.symbol.options},
                      {"dims", ordered_json::object()},
                      {"point", ordered_json::object()}};
  for (const auto &[name, value] : kernel.symbol.dims)
    if (name != kContext)
      row["dims"][name] = value;
  for (size_t i = 0; i < kernel.knobs.size(); ++i)
    row["point"][kernel.knobs[i]] = kernel.symbol.point[i];
  ordered_json trials = ordered_json::array();
  for (const TunedTrial &trial : kernel.trials)
    trials.push_back({trial.point, trial.failed ? ordered_json()
                                                : ordered_json(rounded(
                                                      trial.microseconds))});
  row["measured"] = {{"us", rounded(kernel.microseconds)},
                     {"default", kernel.defaultPoint},
                     {"default_us", rounded(kernel.defaultMicroseconds)},
                     {"roof_us", rounded(kernel.roofMicroseconds)},
                     {"bytes", kernel.bytes},
                     {"products", kernel.products},
                     {"read_rate", std::round(kernel.readRate)},
                     {"product_rate", std::round(kernel.productRate)},
                     {"calls", kernel.calls},
                     {"threads", kernel.threads},
                     {"machine", kernel.machine},
                     {"version", kernel.version},
                     {"trials", trials}};
  if (kernel.symbol.dim(kContext) > 0)
    row["measured"][kContext] = kernel.symbol.dim(kContext);
  return row;
}

ordered_json modelJson(const TunedModel &model) {
  ordered_json row = {{"model", model.choices.model}};
  for (const StepChoice &choice : kStepChoices)
    if (const std::optional<int64_t> &value = model.choices.*(choice.value))
      row[choice.key] = *value;
  ordered_json trials = ordered_json::array();
  for (const StepTrial &trial : model.trials)
    trials.push_back({trial.choice, trial.value, rounded(trial.decodeRatio),
                      rounded(trial.prefillRatio), trial.kept});
  row["measured"] = {{"machine", model.machine},
                     {"decode_ratio", rounded(model.decodeRatio)},
                     {"prefill_ratio", rounded(model.prefillRatio)},
                     {"trials", trials}};
  return row;
}

/// Throws json::exception.
TunedModel readModel(const ScheduleFile::Model &choices,
                     const ordered_json &row) {
  TunedModel model{.choices = choices, .machine = "", .trials = {}};
  if (!row.contains("measured"))
    return model;
  const ordered_json &measured = row.at("measured");
  measured.at("machine").get_to(model.machine);
  measured.at("decode_ratio").get_to(model.decodeRatio);
  measured.at("prefill_ratio").get_to(model.prefillRatio);
  for (const ordered_json &trial : measured.at("trials"))
    model.trials.push_back(
        {trial.at(0), trial.at(1), trial.at(2), trial.at(3), trial.at(4)});
  return model;
}

/// Fills in what the schedule file's own reader does not keep; the entry has
/// passed it. Throws json::exception.
TunedKernel readKernel(const ordered_json &row, const std::string &fileTarget,
                       const KernelCatalog &catalog) {
  TunedKernel kernel;
  kernel.symbol.kernel = row.at("kernel");
  kernel.symbol.options = row.value("options", std::vector<std::string>());
  kernel.symbol.target = row.value("target", fileTarget);
  const CatalogKernel &known = *catalog.kernel(kernel.symbol.kernel);
  for (const std::string &name : known.dims)
    kernel.symbol.dims.emplace_back(
        name, row.at(name == kContext ? "measured" : "dims").at(name));
  for (const CatalogKnob &knob : known.knobs) {
    kernel.knobs.push_back(knob.name);
    kernel.symbol.point.push_back(row.at("point").at(knob.name));
  }
  const ordered_json &measured = row.at("measured");
  measured.at("us").get_to(kernel.microseconds);
  measured.at("default").get_to(kernel.defaultPoint);
  measured.at("default_us").get_to(kernel.defaultMicroseconds);
  measured.at("roof_us").get_to(kernel.roofMicroseconds);
  measured.at("bytes").get_to(kernel.bytes);
  measured.at("products").get_to(kernel.products);
  measured.at("read_rate").get_to(kernel.readRate);
  measured.at("product_rate").get_to(kernel.productRate);
  measured.at("calls").get_to(kernel.calls);
  measured.at("threads").get_to(kernel.threads);
  measured.at("machine").get_to(kernel.machine);
  kernel.version = measured.value("version", "");
  for (const ordered_json &trial : measured.at("trials"))
    kernel.trials.push_back({trial.at(0),
                             trial.at(1).is_null() ? 0.0 : double(trial.at(1)),
                             trial.at(1).is_null()});
  const size_t knobs = known.knobs.size();
  bool whole = kernel.defaultPoint.size() == knobs;
  for (const TunedTrial &trial : kernel.trials)
    whole &= trial.point.size() == knobs;
  if (!whole || !(kernel.microseconds > 0) || !(kernel.defaultMicroseconds > 0))
    throw std::string("has figures that do not fit its kernel");
  return kernel;
}

} // namespace

std::optional<TunedFile> TunedFile::parse(std::string_view text,
                                          const KernelCatalog &catalog,
                                          std::string &error,
                                          std::string_view machine) {
  const auto schedules = ScheduleFile::parse(text, catalog, error, machine);
  if (!schedules)
    return std::nullopt;
  const ordered_json document =
      ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  TunedFile file;
  file.stale = schedules->stale;
  file.foreign = schedules->foreign;
  file.target = document.value("target", "");
  size_t at = 0;
  try {
    for (const ordered_json &row : document.at("points")) {
      ++at;
      if (!row.contains("measured") || !row["measured"].is_object()) {
        ++file.unmeasured;
        continue;
      }
      const std::string version = row["measured"].value("version", "");
      const std::string target = row.value("target", file.target);
      if (version != catalog.spaceVersion(row.value("kernel", ""), target) ||
          (!machine.empty() && row["measured"].value("machine", "") != machine))
        continue;
      file.kernels.push_back(readKernel(row, file.target, catalog));
    }
  } catch (const ordered_json::exception &problem) {
    error = "points[" + std::to_string(at - 1) +
            "] has figures that cannot be read: " + problem.what();
    return std::nullopt;
  } catch (const std::string &problem) {
    error = "points[" + std::to_string(at - 1) + "] " + problem;
    return std::nullopt;
  }
  // The rows that the schedule file's reader kept, in its order.
  at = 0;
  try {
    size_t kept = 0;
    for (const ordered_json &row : document.value("models", ordered_json())) {
      ++at;
      if (!machine.empty() && row.contains("measured") &&
          row["measured"].value("machine", "") != machine)
        continue;
      file.models.push_back(readModel(schedules->models.at(kept++), row));
    }
  } catch (const ordered_json::exception &problem) {
    error = "models[" + std::to_string(at - 1) +
            "] has figures that cannot be read: " + problem.what();
    return std::nullopt;
  }
  return file;
}

std::string TunedFile::str() const {
  // One line a kernel: diffs of schedule files name kernels.
  std::string text =
      "{\n \"target\": " + ordered_json(target).dump() + ",\n \"points\": [";
  for (const TunedKernel &kernel : kernels)
    text += (&kernel == kernels.data() ? "\n  " : ",\n  ") +
            kernelJson(kernel).dump();
  text += "\n ]";
  if (!models.empty()) {
    text += ",\n \"models\": [";
    for (const TunedModel &model : models)
      text += (&model == models.data() ? "\n  " : ",\n  ") +
              modelJson(model).dump();
    text += "\n ]";
  }
  return text + "\n}\n";
}

std::string TunedFile::ignoredNote() const {
  ScheduleFile counts;
  counts.stale = stale;
  counts.foreign = foreign;
  return counts.ignoredNote();
}

const TunedKernel *TunedFile::find(const KernelSymbol &symbol) const {
  for (const TunedKernel &kernel : kernels)
    if (isSameKernel(kernel.symbol, symbol))
      return &kernel;
  return nullptr;
}

void TunedFile::put(const TunedKernel &kernel) {
  for (TunedKernel &row : kernels)
    if (isSameKernel(row.symbol, kernel.symbol)) {
      row = kernel;
      return;
    }
  kernels.push_back(kernel);
}

void TunedFile::put(const TunedModel &model) {
  for (TunedModel &row : models)
    if (row.choices.model == model.choices.model) {
      row = model;
      return;
    }
  models.push_back(model);
}

void TunedFile::merge(const TunedFile &other) {
  const auto gain = [](const TunedKernel &kernel) {
    return kernel.defaultMicroseconds / kernel.microseconds;
  };
  for (const TunedKernel &kernel : other.kernels)
    if (const TunedKernel *own = find(kernel.symbol);
        !own || gain(kernel) > gain(*own))
      put(kernel);
  for (const TunedModel &model : other.models)
    put(model);
}

std::string tunedFileName(std::string_view target, std::string_view cpu) {
  std::string name;
  for (const char c : std::string(target) + "-" + std::string(cpu)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte))
      name += char(std::tolower(byte));
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  return name + ".json";
}

} // namespace qwen
