// Quality.cpp - `qwenc quality`: what formats cost a model, as a table.
#include "codegen/emit/OutputFile.h"
#include "frontend/weights/OpenModel.h"
#include "tools/qwenc/Command.h"
#include "tools/qwenc/Reporting.h"
#include "tools/qwenc/bits/Bits.h"
#include "tools/qwenc/quality/Divergence.h"
#include "tools/qwenc/quality/Sample.h"
#include "tools/qwenc/verify/Executable.h"

#include "llvm/Support/FileSystem.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace qwen {
namespace quality {
namespace {

constexpr int64_t kDefaultTokens = 512;
constexpr int64_t kLeastTokens = 2;

struct QualityOptions {
  CompileOptions build;
  std::vector<std::string> formats = {"stored"};
  std::vector<double> bits; // builds of `--bits`, after those of formats
  std::vector<std::string> cacheTypes = {""}; // each with all; empty: as built
  SampleSource sample{"", "", measuredText()};
  int64_t tokens = kDefaultTokens;
  bool json = false;
};

/// A build of the table.
struct Candidate {
  std::string name, format;
  std::optional<double> bits;
  std::string cacheType;
};

struct QualityRow {
  std::string name, cacheType;
  Divergence divergence;
  int64_t fileBytes, tokenBytes;
};

class Measurement {
public:
  explicit Measurement(const QualityOptions &options)
      : options(options), build(options.build) {}

  int run() {
    if (!folder.ok()) {
      reportError("no temporary folder can be made");
      return kExitUser;
    }
    if (llvm::Error error = measure())
      return reportError(std::move(error));
    if (options.json)
      printJson();
    return 0;
  }

private:
  const QualityOptions &options;
  CompileOptions build;
  verify::WorkFolder folder;
  reference::Ids ids;
  std::optional<LogitsFile> reference;
  std::vector<QualityRow> rows;

  /// What has been said already.
  static llvm::Error said() { return llvm::createStringError(""); }

  llvm::Error measure() {
    const std::vector<Candidate> candidates = all();
    for (const Candidate &candidate : candidates)
      if (llvm::Error error = check(candidate))
        return error;
    Diagnostics diags(std::cerr);
    std::optional<CheckpointSource> model =
        openModel(build.model, {build.ignoredKeys, ""}, diags);
    if (!model)
      return said();
    if (!model->tensors)
      return userError("`" + build.model + "` has no weights to measure");
    const int64_t vocab = model->spec.vocabSize;
    const int64_t most = std::min(options.tokens, model->spec.maxPositions);
    if (options.sample.idsPath.empty() && model->tokenizerPath.empty())
      return userError("`" + build.model +
                       "` has no tokenizer; give token ids with `--ids`");
    build.context = most;
    const verify::Executable exact(folder.at("exact"), "", folder);
    CompileOptions plain = build;
    plain.calibratePath = plain.calibrateIds = ""; // of `--bits`
    plain.pipeline.activations = plain.cacheType = "f32";
    if (llvm::Error error = compileTo(exact.path, plain))
      return error;
    llvm::Expected<reference::Ids> chosen =
        sampleIds(options.sample, exact, kLeastTokens, most, vocab);
    if (!chosen)
      return chosen.takeError();
    ids = std::move(*chosen);
    llvm::Expected<LogitsFile> logits = logitsOf(exact, vocab);
    if (!logits)
      return logits.takeError();
    reference.emplace(std::move(*logits));
    remove(exact);
    // Before the table, for the options may be wrong.
    for (const Candidate &candidate : candidates)
      if (candidate.bits && !build.search) {
        llvm::Expected<std::shared_ptr<bits::Search>> made =
            bits::Search::make(optionsOf(candidate), options.bits);
        if (!made)
          return made.takeError();
        build.search = std::move(*made);
      }
    if (!options.json)
      printHead();
    for (const Candidate &candidate : candidates)
      if (llvm::Error error = add(candidate, vocab))
        return error;
    return llvm::Error::success();
  }

  std::vector<Candidate> all() const {
    std::vector<Candidate> candidates;
    for (const std::string &type : options.cacheTypes) {
      for (const std::string &format : options.formats)
        candidates.push_back({format, format, std::nullopt, type});
      for (double bits : options.bits) {
        char name[40];
        std::snprintf(name, sizeof(name), "%g bits", bits);
        candidates.push_back({name, "stored", bits, type});
      }
    }
    return candidates;
  }

  CompileOptions optionsOf(const Candidate &candidate) const {
    CompileOptions one = build;
    one.pipeline.format = candidate.format;
    one.bits = candidate.bits;
    one.cacheType = candidate.cacheType;
    if (!candidate.bits && !options.bits.empty())
      one.calibratePath = one.calibrateIds = "";
    return one;
  }

  llvm::Error check(const Candidate &candidate) const {
    CompileOptions one = optionsOf(candidate);
    one.output = folder.at("none");
    if (std::optional<std::string> problem = resolve(one))
      return userError(*problem);
    return llvm::Error::success();
  }

  static llvm::Error compileTo(const std::string &path, CompileOptions one) {
    one.output = path;
    return compileModel(one) == 0 ? llvm::Error::success() : said();
  }

  llvm::Expected<LogitsFile> logitsOf(const verify::Executable &app,
                                      int64_t vocab) const {
    const std::string file = app.path + ".npy";
    if (llvm::Error error = app.writeLogits(ids, 0, 0, file))
      return error;
    return LogitsFile::open(file, vocab);
  }

  llvm::Error add(const Candidate &candidate, int64_t vocab) {
    const verify::Executable app(folder.at("app"), "", folder);
    if (llvm::Error error = compileTo(app.path, optionsOf(candidate)))
      return error;
    llvm::Expected<LogitsFile> logits = logitsOf(app, vocab);
    if (!logits)
      return logits.takeError();
    llvm::Expected<std::string> text = app.info();
    if (!text)
      return text.takeError();
    const nlohmann::json info = nlohmann::json::parse(*text, nullptr, false);
    QualityRow row{candidate.name, candidate.cacheType,
                   compareLogits(*reference, *logits, ids), 0, 0};
    try {
      row.fileBytes = info.at("weights").at("bytes").get<int64_t>();
      const nlohmann::json &plan = info.at("plan");
      row.tokenBytes =
          plan.at(plan.at("screened_head").get<bool>() ? "screened_bytes"
                                                       : "decode_bytes");
    } catch (const nlohmann::json::exception &) {
      return userError("`" + app.path + " info` does not tell its size");
    }
    remove(app);
    if (!options.json)
      print(row);
    rows.push_back(std::move(row));
    return llvm::Error::success();
  }

  /// Room for the next; what cannot be removed goes with the folder.
  static void remove(const verify::Executable &app) {
    for (const char *suffix : {"", ".weights", ".npy"}) {
      const std::error_code ignored = llvm::sys::fs::remove(app.path + suffix);
      static_cast<void>(ignored);
    }
  }

  void printHead() const {
    std::printf("%zu tokens against the values as stored, f32 activations\n"
                "%-16s %10s %10s %10s %9s %10s\n",
                ids.size(), "format, cache", "KL", "same top", "ppl", "MB",
                "MB/token");
  }

  static void print(const QualityRow &row) {
    const std::string name =
        row.name + (row.cacheType.empty() ? "" : " " + row.cacheType);
    std::printf("%-16s %10.5f %9.1f%% %10.3f %9.1f %10.1f\n", name.c_str(),
                row.divergence.kl, row.divergence.sameTop * 100,
                row.divergence.perplexity, double(row.fileBytes) / 1e6,
                double(row.tokenBytes) / 1e6);
    std::fflush(stdout);
  }

  void printJson() const {
    nlohmann::ordered_json table = nlohmann::ordered_json::array();
    for (const QualityRow &row : rows)
      table.push_back({{"format", row.name},
                       {"cache_type", row.cacheType},
                       {"kl", row.divergence.kl},
                       {"same_top", row.divergence.sameTop},
                       {"perplexity", row.divergence.perplexity},
                       {"file_bytes", row.fileBytes},
                       {"token_bytes", row.tokenBytes}});
    const nlohmann::ordered_json all = {{"tokens", ids.size()},
                                        {"rows", std::move(table)}};
    std::cout << all.dump(2) << "\n";
  }
};

} // namespace
} // namespace quality

std::function<int()> addQualityCommand(CLI::App &app) {
  auto options = std::make_shared<quality::QualityOptions>();
  CLI::App *command = app.add_subcommand(
      "quality", "measure what formats and cache types cost a model: KL, "
                 "agreement, perplexity, bytes");
  command
      ->add_option("model", options->build.model,
                   "a Hugging Face folder, a hub name in the local cache, or a "
                   ".gguf")
      ->required();
  command
      ->add_option("--formats", options->formats,
                   "formats to measure, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
  command
      ->add_option("--bits", options->bits,
                   "builds of `compile --bits` to measure, separated by commas")
      ->delimiter(',');
  command
      ->add_option("--cache-types", options->cacheTypes,
                   "of the key/value cache, separated by commas: each with "
                   "all formats and bits; default as of `qwenc compile`")
      ->delimiter(',');
  declareCalibration(options->build, *command);
  command->add_option("--text", options->sample.textPath,
                      "file of text to measure on; default a built-in one");
  command->add_option("--ids", options->sample.idsPath,
                      "file of token ids instead of a text");
  command
      ->add_option("--tokens", options->tokens,
                   "tokens of the text to measure on")
      ->check(CLI::Range(int64_t(2), int64_t(1) << 16))
      ->capture_default_str();
  command->add_flag("--json", options->json, "print the table as JSON");
  declareBuild(options->build, *command);
  command->remove_option(command->get_option("--format"));
  command->remove_option(command->get_option("--context"));
  command->remove_option(command->get_option("--cache-type"));
  return [options] { return quality::Measurement(*options).run(); };
}

} // namespace qwen
