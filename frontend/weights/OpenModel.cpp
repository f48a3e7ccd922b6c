// OpenModel.cpp - finds the files of a model and reads their headers.
#include "frontend/weights/OpenModel.h"

#include "frontend/config/ReadConfig.h"
#include "frontend/diag/Json.h"
#include "frontend/weights/CheckTensors.h"
#include "frontend/weights/Gguf.h"
#include "frontend/weights/GgufSpec.h"
#include "frontend/weights/Safetensors.h"

#include <cstdlib>
#include <filesystem>

namespace qwen {
namespace {

namespace fs = std::filesystem;

bool isFile(const fs::path &path) {
  std::error_code failure;
  return fs::is_regular_file(path, failure);
}

bool isFolder(const fs::path &path) {
  std::error_code failure;
  return fs::is_directory(path, failure);
}

std::string environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

fs::path hubCache(const OpenModelOptions &options) {
  if (!options.hubCache.empty())
    return options.hubCache;
  if (std::string cache = environment("HF_HUB_CACHE"); !cache.empty())
    return cache;
  if (std::string home = environment("HF_HOME"); !home.empty())
    return fs::path(home) / "hub";
  if (std::string cache = environment("XDG_CACHE_HOME"); !cache.empty())
    return fs::path(cache) / "huggingface" / "hub";
  return fs::path(environment("HOME")) / ".cache" / "huggingface" / "hub";
}

/// Letters, digits, '-', '_' and '.', not starting with a dot.
bool isHubWord(std::string_view word) {
  if (word.empty() || word[0] == '.')
    return false;
  for (char c : word)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' &&
        c != '.')
      return false;
  return true;
}

/// The snapshot of `org/name` that `refs/main` points at; reported when absent.
std::optional<fs::path> findInHubCache(const std::string &model,
                                       const OpenModelOptions &options,
                                       Diagnostics &diags) {
  size_t slash = model.find('/');
  if (slash == std::string::npos || !isHubWord(model.substr(0, slash)) ||
      !isHubWord(model.substr(slash + 1)))
    return diags.error(diag::ModelNotFound, {model});
  fs::path cache = hubCache(options);
  fs::path folder = cache / ("models--" + model.substr(0, slash) + "--" +
                             model.substr(slash + 1));
  if (!isFolder(folder))
    return diags.error(diag::ModelNotInCache, {model}, cache.string());
  fs::path reference = folder / "refs" / "main";
  std::string commit;
  if (isFile(reference)) {
    std::optional<std::string> text = readTextFile(reference.string(), diags);
    if (!text)
      return std::nullopt;
    commit = text->substr(0, text->find_last_not_of(" \n\r\t") + 1);
  }
  if (!isHubWord(commit) || !isFolder(folder / "snapshots" / commit))
    return diags.error(diag::ModelNoSnapshot, {model}, folder.string());
  return folder / "snapshots" / commit;
}

/// The template of the name "default", or the only one.
std::string templateFromJson(const JsonValue &value) {
  if (const std::string *text = value.text())
    return *text;
  const JsonValue::Array *list = value.array();
  if (!list)
    return "";
  for (const JsonValue &entry : *list) {
    const JsonValue *name = entry.find("name");
    const JsonValue *body = entry.find("template");
    if (name && name->text() && *name->text() == "default" && body &&
        body->text())
      return *body->text();
  }
  return "";
}

bool readChatTemplate(const fs::path &folder, std::string &out,
                      Diagnostics &diags) {
  fs::path plain = folder / "chat_template.jinja";
  if (isFile(plain)) {
    std::optional<std::string> text = readTextFile(plain.string(), diags);
    if (text)
      out = *text;
    return text.has_value();
  }
  fs::path config = folder / "tokenizer_config.json";
  if (!isFile(config))
    return true;
  std::optional<JsonValue> root = readJsonFile(config.string(), diags);
  if (!root)
    return false;
  if (const JsonValue *value = root->find("chat_template"))
    out = templateFromJson(*value);
  return true;
}

bool readGeneration(const fs::path &folder, const fs::path &config,
                    GenerationConfig &out, Diagnostics &diags) {
  fs::path own = folder / "generation_config.json";
  std::optional<GenerationConfig> generation =
      readGenerationConfig((isFile(own) ? own : config).string(), diags);
  if (generation)
    out = *generation;
  return generation.has_value();
}

/// False after a report; no tensors when the folder holds no weights at all.
bool readTensors(const fs::path &folder, std::optional<TensorIndex> &out,
                 Diagnostics &diags) {
  fs::path single = folder / "model.safetensors";
  fs::path sharded = folder / "model.safetensors.index.json";
  if (isFile(single)) {
    out = readSafetensors(single.string(), diags);
    return out.has_value();
  }
  if (isFile(sharded)) {
    out = readSafetensorsIndex(sharded.string(), diags);
    return out.has_value();
  }
  for (const char *pickled :
       {"pytorch_model.bin", "pytorch_model.bin.index.json"})
    if (isFile(folder / pickled)) {
      diags.error(diag::WeightsPickled, {folder.string()}, pickled);
      return false;
    }
  return true;
}

std::optional<CheckpointSource>
openFolder(const fs::path &folder, const fs::path &config, bool withWeights,
           const OpenModelOptions &options, Diagnostics &diags) {
  std::optional<ModelSpec> spec =
      readConfig(config.string(), {options.ignoredKeys}, diags);
  if (!spec)
    return std::nullopt;
  CheckpointSource source;
  source.spec = std::move(*spec);
  if (!readGeneration(folder, config, source.generation, diags) ||
      !readChatTemplate(folder, source.chatTemplate, diags))
    return std::nullopt;
  if (isFile(folder / "tokenizer.json"))
    source.tokenizerPath = (folder / "tokenizer.json").string();
  if (!withWeights)
    return source;
  if (!readTensors(folder, source.tensors, diags))
    return std::nullopt;
  if (!source.tensors)
    return source;
  // A file that has both matrices may hold different values.
  if (source.tensors->count("lm_head.weight"))
    source.spec.tiedEmbedding = false;
  if (!checkTensors(source.spec, *source.tensors, diags))
    return std::nullopt;
  return source;
}

std::optional<CheckpointSource> openGguf(const std::string &path,
                                         const OpenModelOptions &options,
                                         Diagnostics &diags) {
  std::optional<GgufHeader> header = readGguf(path, diags);
  if (!header)
    return std::nullopt;
  std::optional<ModelSpec> spec =
      specFromGguf(*header, options.ignoredKeys, diags);
  if (!spec || !checkTensors(*spec, header->tensors, diags))
    return std::nullopt;
  CheckpointSource source;
  source.spec = std::move(*spec);
  source.generation = generationFromGguf(header->metadata);
  if (header->metadata.texts("tokenizer.ggml.tokens"))
    source.tokenizerPath = path;
  if (const std::string *text =
          header->metadata.text("tokenizer.chat_template"))
    source.chatTemplate = *text;
  source.tensors = std::move(header->tensors);
  source.gguf = std::move(header->metadata);
  return source;
}

} // namespace

std::optional<CheckpointSource> openModel(const std::string &model,
                                          const OpenModelOptions &options,
                                          Diagnostics &diags) {
  fs::path path(model);
  if (isFile(path)) {
    if (path.extension() == ".gguf")
      return openGguf(model, options, diags);
    if (path.extension() == ".json")
      return openFolder(path.parent_path(), path, false, options, diags);
    return diags.error(diag::ModelFileKind, {model});
  }
  if (!isFolder(path)) {
    std::optional<fs::path> found = findInHubCache(model, options, diags);
    if (!found)
      return std::nullopt;
    path = *found;
  }
  fs::path config = path / "config.json";
  if (!isFile(config))
    return diags.error(diag::ModelNoConfig, {path.string()});
  return openFolder(path, config, true, options, diags);
}

} // namespace qwen
