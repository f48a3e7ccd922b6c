// ReadBuild.cpp - reads configs/builds/*.json.
#include "frontend/config/ReadBuild.h"

#include "frontend/config/CheckSpec.h"
#include "frontend/diag/Json.h"

#include <filesystem>

namespace qwen {
namespace {

class BuildReader {
public:
  BuildReader(const JsonValue &root, const std::string &file,
              Diagnostics &diags)
      : root(root), file(file), diags(diags) {}

  std::optional<BuildConfig> read() {
    if (!root.object())
      return diags.error(diag::JsonNotObject, root.position(file),
                         root.describe());
    std::optional<std::string> model;
    text("model", model);
    text("format", build.format);
    text("activations", build.activations);
    text("target", build.target);
    context();
    for (const JsonMember &member : *root.object())
      if (known.find(" " + member.key + ",") == std::string::npos)
        diags.error(diag::BuildUnknownKey, {file, member.line, member.column},
                    member.key, known.substr(1, known.size() - 2));
    if (!root.find("model"))
      diags.error(diag::ConfigKeyMissing, {file}, "model");
    if (diags.errorCount() > errorsBefore)
      return std::nullopt;
    build.model = resolve(*model);
    return std::move(build);
  }

private:
  const JsonValue *find(const char *key) {
    known.append(" ").append(key).append(",");
    return root.find(key);
  }

  void text(const char *key, std::optional<std::string> &out) {
    const JsonValue *value = find(key);
    if (!value)
      return;
    if (value->text())
      out = *value->text();
    else
      diags.error(diag::ConfigWrongType, value->position(file), key,
                  value->describe(), "a string");
  }

  void context() {
    const JsonValue *value = find("context");
    if (!value)
      return;
    const int64_t *number = value->integer();
    if (!number)
      diags.error(diag::ConfigWrongType, value->position(file), "context",
                  value->describe(), "an integer");
    else if (*number < 1 || *number > kLargestPosition)
      diags.error(diag::SpecRange, value->position(file), "context", *number,
                  int64_t(1), kLargestPosition);
    else
      build.context = *number;
  }

  /// A name that is no path beside the build stays as it is: a hub name.
  std::string resolve(const std::string &model) const {
    auto beside = std::filesystem::path(file).parent_path() / model;
    std::error_code failure;
    return std::filesystem::exists(beside, failure)
               ? beside.lexically_normal().string()
               : model;
  }

  const JsonValue &root;
  const std::string &file;
  Diagnostics &diags;
  const int64_t errorsBefore = diags.errorCount();
  std::string known; // " model, format, ...,"
  BuildConfig build;
};

} // namespace

std::optional<BuildConfig> readBuild(const std::string &path,
                                     Diagnostics &diags) {
  std::optional<JsonValue> root = readJsonFile(path, diags);
  if (!root)
    return std::nullopt;
  return BuildReader(*root, path, diags).read();
}

} // namespace qwen
