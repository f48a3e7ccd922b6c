// CatalogJson.cpp - the printed catalog and schedule files, read and checked.
#include "codegen/catalog/CatalogJson.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace qwen {

// The structures and their JSON have the same field names.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogPlane, name, group, blockBytes,
                                   element, startBytes, pitchBytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogFormat, name, planes, scaleGroup,
                                   innerMultiple, storedTypes, activations,
                                   lossOfLargest, coarsePlanes, sameScoresAs)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogOption, name, values, flag)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogOperand, name, kind, width, when,
                                   role, type)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogKnob, name, values, one, many,
                                   divides, unit, onlyMany, registers, onlyOne,
                                   sumBits, oneWith, ordersLoops, few)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogKernel, name, options, dims,
                                   multiples, operands, knobs)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogTarget, name, features, lanes,
                                   registers, l1Bytes, l2Bytes, quadDots,
                                   pointsOf)

namespace {

using nlohmann::json;

template <typename Rows> std::string namesOf(const Rows &rows) {
  std::string names;
  for (const auto &row : rows)
    names += (names.empty() ? "" : ", ") + row.name;
  return names;
}

std::string valuesOf(const std::vector<CatalogOption> &options) {
  std::string names;
  for (const CatalogOption &option : options)
    for (const std::string &value : option.values)
      names += (names.empty() ? "" : ", ") + value;
  return names;
}

/// Reads one entry of "points"; returns what is wrong with it, or nothing.
std::optional<std::string> readEntry(const json &object,
                                     const KernelCatalog &catalog,
                                     ScheduleFile::Entry &entry) {
  if (!object.is_object())
    return "is not an object";
  for (const auto &[key, value] : object.items())
    if (key != "kernel" && key != "target" && key != "options" &&
        key != "dims" && key != "point" && key != "measured")
      return "has the unknown key `" + key + "`";
  entry.measured = object.contains("measured");
  if (!object.contains("kernel") || !object["kernel"].is_string())
    return "needs `kernel`";
  entry.kernel = object["kernel"];
  const CatalogKernel *kernel = catalog.kernel(entry.kernel);
  if (!kernel)
    return "names the unknown kernel `" + entry.kernel +
           "`; kernels: " + namesOf(catalog.kernels);
  if (object.contains("target")) {
    if (!object["target"].is_string() ||
        !catalog.target(std::string(object["target"])))
      return "names the unknown target " + object["target"].dump() +
             "; targets: " + namesOf(catalog.targets);
    entry.target = object["target"];
  }
  const json options = object.value("options", json::array());
  if (!options.is_array())
    return "has `options` that are no list";
  for (const json &option : options) {
    const bool known =
        option.is_string() &&
        std::any_of(kernel->options.begin(), kernel->options.end(),
                    [&](const CatalogOption &row) {
                      return std::count(row.values.begin(), row.values.end(),
                                        option.get<std::string>()) > 0;
                    });
    if (!known)
      return "names the unknown option " + option.dump() + " of kernel `" +
             kernel->name + "`; options: " + valuesOf(kernel->options);
    entry.options.push_back(option);
  }
  const json dims = object.value("dims", json::object());
  if (!dims.is_object())
    return "has `dims` that are no object";
  for (const auto &[name, value] : dims.items()) {
    if (std::count(kernel->dims.begin(), kernel->dims.end(), name) == 0)
      return "names the unknown dim `" + name + "` of kernel `" + kernel->name +
             "`; dims: " + json(kernel->dims).dump();
    if (!value.is_number_integer())
      return "has dim `" + name + "` that is no integer";
    entry.dims.emplace_back(name, value);
  }
  if (!object.contains("point") || !object["point"].is_object())
    return "needs `point`, an object of knobs and values";
  int64_t accumulators = 1;
  for (const auto &[name, value] : object["point"].items()) {
    const auto knob = std::find_if(
        kernel->knobs.begin(), kernel->knobs.end(),
        [&, &name = name](const CatalogKnob &row) { return row.name == name; });
    if (knob == kernel->knobs.end())
      return "names the unknown knob `" + name + "` of kernel `" +
             kernel->name + "`; knobs: " + namesOf(kernel->knobs);
    if (!value.is_number_integer() ||
        std::count(knob->values.begin(), knob->values.end(),
                   value.get<int64_t>()) == 0)
      return "sets knob `" + name + "` of kernel `" + kernel->name + "` to " +
             value.dump() + "; values: " + json(knob->values).dump();
    entry.point.emplace_back(name, value);
    if (knob->registers)
      accumulators *= value.get<int64_t>();
  }
  if (accumulators > kMostAccumulators)
    return "gives kernel `" + kernel->name + "` " +
           std::to_string(accumulators) + " accumulators a tile; at most " +
           std::to_string(kMostAccumulators);
  return std::nullopt;
}

/// Whether a measured entry says nothing here; counts it.
bool isIgnored(const json &object, const KernelCatalog &catalog,
               const std::string &target, std::string_view machine,
               ScheduleFile &file) {
  if (!object.is_object() || !object.contains("measured") ||
      !object["measured"].is_object())
    return false;
  const json &measured = object["measured"];
  const std::string version = measured.value("version", "");
  if (!version.empty() &&
      version != catalog.spaceVersion(object.value("kernel", ""),
                                      object.value("target", target))) {
    ++file.stale;
    return true;
  }
  if (!machine.empty() && measured.value("machine", "") != machine) {
    ++file.foreign;
    return true;
  }
  return false;
}

/// Reads one entry of "models"; returns what is wrong with it, or nothing.
std::optional<std::string> readModel(const json &object,
                                     ScheduleFile::Model &model) {
  if (!object.is_object() || !object.contains("model") ||
      !object["model"].is_string())
    return "needs `model`";
  model.model = object["model"];
  for (const auto &[key, value] : object.items()) {
    if (key == "model" || key == "measured")
      continue;
    const auto choice = std::find_if(
        std::begin(kStepChoices), std::end(kStepChoices),
        [&, &key = key](const StepChoice &row) { return row.key == key; });
    if (choice == std::end(kStepChoices)) {
      std::string keys = "model";
      for (const StepChoice &row : kStepChoices)
        keys += std::string(", ") + row.key;
      return "has the unknown key `" + key + "`; keys: " + keys;
    }
    if (!value.is_number_integer() || value < 0 || value > choice->most)
      return "sets `" + key + "` to " + value.dump() + "; it is 0 to " +
             std::to_string(choice->most);
    model.*(choice->value) = value;
  }
  return std::nullopt;
}

std::optional<ScheduleFile> readSchedules(const json &document,
                                          const KernelCatalog &catalog,
                                          std::string &error,
                                          std::string_view machine = {}) {
  ScheduleFile file;
  if (!document.is_object() || !document.contains("points") ||
      !document["points"].is_array()) {
    error = "a schedule file is an object with the list `points`";
    return std::nullopt;
  }
  for (const auto &[key, value] : document.items())
    if (key != "points" && key != "target" && key != "models") {
      error = "unknown key `" + key + "`; keys: target, points, models";
      return std::nullopt;
    }
  std::string target;
  if (document.contains("target")) {
    if (!document["target"].is_string() ||
        !catalog.target(std::string(document["target"]))) {
      error = "unknown target " + document["target"].dump() +
              "; targets: " + namesOf(catalog.targets);
      return std::nullopt;
    }
    target = document["target"];
  }
  for (size_t i = 0; i < document["points"].size(); ++i) {
    if (isIgnored(document["points"][i], catalog, target, machine, file))
      continue;
    ScheduleFile::Entry entry;
    entry.target = target;
    if (std::optional<std::string> problem =
            readEntry(document["points"][i], catalog, entry)) {
      error = "points[" + std::to_string(i) + "] " + *problem;
      return std::nullopt;
    }
    file.entries.push_back(entry);
  }
  const json models = document.value("models", json::array());
  if (!models.is_array()) {
    error = "`models` is no list";
    return std::nullopt;
  }
  for (size_t i = 0; i < models.size(); ++i) {
    if (isIgnored(models[i], catalog, target, machine, file))
      continue;
    file.models.emplace_back();
    if (std::optional<std::string> problem =
            readModel(models[i], file.models.back())) {
      error = "models[" + std::to_string(i) + "] " + *problem;
      return std::nullopt;
    }
  }
  return file;
}

} // namespace

std::optional<ScheduleFile> ScheduleFile::parse(std::string_view text,
                                                const KernelCatalog &catalog,
                                                std::string &error,
                                                std::string_view machine) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    error = "not valid JSON";
    return std::nullopt;
  }
  try {
    return readSchedules(document, catalog, error, machine);
  } catch (const json::exception &problem) {
    error = problem.what();
    return std::nullopt;
  }
}

std::string ScheduleFile::ignoredNote() const {
  const auto counted = [](int64_t count, const char *what) {
    return std::to_string(count) +
           (count == 1 ? " entry of " : " entries of ") + what;
  };
  std::string text;
  if (stale)
    text = counted(stale, "another version");
  if (foreign)
    text += (text.empty() ? "" : " and ") + counted(foreign, "another machine");
  if (text.empty())
    return text;
  return text + (stale + foreign == 1 ? " is ignored" : " are ignored");
}

std::string KernelCatalog::spaceVersion(std::string_view kernelName,
                                        std::string_view targetName) const {
  const CatalogKernel *kernel = this->kernel(kernelName);
  const CatalogTarget *target = this->target(targetName);
  if (!kernel || !target)
    return "";
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const json &part : {json(*kernel), json(*target)})
    for (unsigned char byte : part.dump())
      hash = (hash ^ byte) * 0x100000001b3ull;
  // The kernel compiler's own version comes before the hash of its program.
  std::string text = version.substr(0, version.rfind('-')) + "-";
  for (int shift = 60; shift >= 0; shift -= 4)
    text += "0123456789abcdef"[hash >> shift & 15];
  return text;
}

std::string printCatalog(const KernelCatalog &catalog) {
  json points = json::array();
  for (const ScheduleFile::Entry &entry : catalog.schedules.entries) {
    json row = {{"kernel", entry.kernel},
                {"options", entry.options},
                {"dims", json::object()},
                {"point", json::object()}};
    if (entry.measured)
      row["measured"] = json::object();
    if (!entry.target.empty())
      row["target"] = entry.target;
    for (const auto &[name, value] : entry.dims)
      row["dims"][name] = value;
    for (const auto &[name, value] : entry.point)
      row["point"][name] = value;
    points.push_back(row);
  }
  const json document = {{"version", catalog.version},
                         {"formats", catalog.formats},
                         {"kernels", catalog.kernels},
                         {"targets", catalog.targets},
                         {"schedules", {{"points", points}}}};
  return document.dump(1);
}

std::optional<KernelCatalog> KernelCatalog::parse(std::string_view text,
                                                  std::string &error) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    error = "not valid JSON";
    return std::nullopt;
  }
  try {
    KernelCatalog catalog;
    document.at("version").get_to(catalog.version);
    document.at("formats").get_to(catalog.formats);
    document.at("kernels").get_to(catalog.kernels);
    document.at("targets").get_to(catalog.targets);
    std::optional<ScheduleFile> schedules =
        readSchedules(document.at("schedules"), catalog, error);
    if (!schedules)
      return std::nullopt;
    catalog.schedules = *schedules;
    return catalog;
  } catch (const json::exception &problem) {
    error = problem.what();
    return std::nullopt;
  }
}

} // namespace qwen
