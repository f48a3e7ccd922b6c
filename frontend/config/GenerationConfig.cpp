// GenerationConfig.cpp - reads generation_config.json.
#include "frontend/config/GenerationConfig.h"

#include "frontend/diag/Json.h"

#include <filesystem>

namespace qwen {
namespace {

constexpr int64_t kLargestId = INT32_MAX;

class GenerationReader {
public:
  GenerationReader(const JsonValue &root, const std::string &file,
                   Diagnostics &diags)
      : root(root), file(file), diags(diags) {}

  void integer(const char *key, int64_t largest, std::optional<int64_t> &out) {
    const JsonValue *value = find(key);
    if (!value)
      return;
    if (const int64_t *number = wholeNumber(key, *value, largest))
      out = *number;
  }

  // [least, most], or above `least` when `open`.
  void real(const char *key, double least, bool open, double most,
            std::optional<double> &out) {
    const JsonValue *value = find(key);
    if (!value)
      return;
    std::optional<double> number = value->number();
    bool good = number && *number >= least && *number <= most;
    if (!good || (open && *number == least))
      diags.error(diag::GenerationRange, value->position(file), key,
                  value->describe(), open ? "above" : "at least", least, most);
    else
      out = number;
  }

  void boolean(const char *key, std::optional<bool> &out) {
    const JsonValue *value = find(key);
    if (!value)
      return;
    if (const bool *flag = value->boolean())
      out = *flag;
    else
      diags.error(diag::ConfigWrongType, value->position(file), key,
                  value->describe(), "true or false");
  }

  void ids(const char *key, std::vector<int64_t> &out) {
    const JsonValue *value = find(key);
    if (!value)
      return;
    const JsonValue::Array *list = value->array();
    if (!list) {
      if (const int64_t *id = wholeNumber(key, *value, kLargestId))
        out.push_back(*id);
      return;
    }
    for (const JsonValue &entry : *list)
      if (const int64_t *id = wholeNumber(key, entry, kLargestId))
        out.push_back(*id);
  }

private:
  const JsonValue *find(const char *key) const {
    const JsonValue *value = root.find(key);
    return value && !value->isNull() ? value : nullptr;
  }

  const int64_t *wholeNumber(const char *key, const JsonValue &value,
                             int64_t largest) {
    const int64_t *number = value.integer();
    if (!number) {
      diags.error(diag::ConfigWrongType, value.position(file), key,
                  value.describe(), "an integer");
      return nullptr;
    }
    if (*number < 0 || *number > largest) {
      diags.error(diag::SpecRange, value.position(file), key, *number,
                  int64_t(0), largest);
      return nullptr;
    }
    return number;
  }

  const JsonValue &root;
  const std::string &file;
  Diagnostics &diags;
};

} // namespace

std::optional<GenerationConfig> readGenerationConfig(const std::string &path,
                                                     Diagnostics &diags) {
  std::error_code failure;
  if (!std::filesystem::exists(path, failure))
    return GenerationConfig();
  int64_t errorsBefore = diags.errorCount();
  std::optional<JsonValue> root = readJsonFile(path, diags);
  if (!root)
    return std::nullopt;
  if (!root->object())
    return diags.error(diag::JsonNotObject, root->position(path),
                       root->describe());
  GenerationConfig config;
  GenerationReader reader(*root, path, diags);
  constexpr double kLargestReal = 1e6;
  reader.ids("eos_token_id", config.eosTokenIds);
  reader.integer("bos_token_id", kLargestId, config.bosTokenId);
  reader.integer("pad_token_id", kLargestId, config.padTokenId);
  reader.boolean("do_sample", config.doSample);
  reader.real("temperature", 0, false, kLargestReal, config.temperature);
  reader.real("top_p", 0, false, 1, config.topP);
  reader.real("min_p", 0, false, 1, config.minP);
  reader.integer("top_k", kLargestId, config.topK);
  reader.real("repetition_penalty", 0, true, kLargestReal,
              config.repetitionPenalty);
  if (diags.errorCount() > errorsBefore)
    return std::nullopt;
  return config;
}

} // namespace qwen
