// Bits.cpp - calibrates, rounds, measures, and exchanges.
#include "tools/qwenc/bits/Bits.h"

#include "codegen/catalog/Catalog.h"
#include "codegen/emit/OutputFile.h"
#include "codegen/formats/Quantise.h"
#include "codegen/quantise/Compensate.h"
#include "codegen/quantise/Exchange.h"
#include "frontend/weights/Dequantize.h"
#include "frontend/weights/OpenModel.h"
#include "passes/ir/QwenOps.h"
#include "tools/qwenc/bits/SearchBuild.h"
#include "tools/qwenc/bits/Values.h"
#include "tools/qwenc/quality/Sample.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Threading.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

namespace qwen::bits {
namespace {

constexpr int64_t kLeastTokens = 64;
constexpr int64_t kMostTokens = 4096; // calibrated with
constexpr int64_t kWindow = 128;      // tokens of one step
constexpr int64_t kMeasuredTokens = 512;
// A bit more halves the step: a quarter of the loss. Of 5 bits to 8.
constexpr double kLossOfEight = 1.0 / 64;
constexpr double kByte = 8; // bits

/// Formats that values are made anew in, and the stored type that each takes.
struct Target {
  const char *format, *type;
};
constexpr Target kTargets[] = {
    {"q4g32", "q4_0"}, {"q5g32", "q5_0"}, {"q8g32", "q8_0"}};
enum { kFour, kFive, kEight };

void say(const std::string &text) { llvm::errs() << "qwenc: " << text << "\n"; }

std::string number(double value, const char *format) {
  char text[40];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

/// A line now and then.
class Progress {
public:
  Progress(std::string what, int64_t count)
      : what(std::move(what)), count(count) {}
  void step() {
    constexpr int64_t kLines = 4;
    ++done;
    if (done * kLines / count != (done - 1) * kLines / count)
      say(what + ": " + std::to_string(done) + " of " + std::to_string(count));
  }

private:
  std::string what;
  int64_t count, done = 0;
};

/// What one part costs in one of its formats.
struct Option {
  std::vector<std::string> formats; // of each matrix
  int64_t bytes = 0;                // that a token reads
  double loss = 0;                  // KL
};

struct MeasuredPart {
  Part part;
  double rounding[2] = {}; // loss of compensated 4 and 5 bits, as sums
  double kl = 0;           // of 4 bits
};

class Measured : public Search {
public:
  explicit Measured(CompileOptions given)
      : build(std::move(given)), text{build.calibrateIds, build.calibratePath,
                                      quality::calibrationText()} {}

  llvm::Error measure(llvm::ArrayRef<double> wanted);
  llvm::Expected<std::shared_ptr<const Requantised>>
  choose(double bits) const override;

private:
  CompileOptions build;
  const quality::SampleSource text; // to calibrate with
  std::shared_ptr<verify::WorkFolder> folder =
      std::make_shared<verify::WorkFolder>();
  std::unique_ptr<verify::Stages> stages;
  std::unique_ptr<SearchBuild> search;
  std::unique_ptr<BlockFile> files[std::size(kTargets)];
  std::vector<MeasuredPart> parts;
  std::vector<Matrix> rowsOnly;
  std::string screened; // the head's matrix, where a coarse copy is read
  int64_t tokens = 0;

  static llvm::Error said() { return llvm::createStringError(""); }

  llvm::Error open(llvm::ArrayRef<double> wanted);
  llvm::Error writeEight();
  llvm::Expected<reference::Ids> calibrationIds() const;
  llvm::Error compensateAll(const std::map<std::string, InputRows> &inputs);
  llvm::Error compensatePart(MeasuredPart &measured,
                             const quantise::Factors &factors);
  llvm::Error measureParts(const reference::Ids &ids);

  std::vector<Matrix> allMatrices() const {
    std::vector<Matrix> all = rowsOnly;
    for (const MeasuredPart &measured : parts)
      llvm::append_range(all, measured.part.matrices);
    return all;
  }

  int64_t bytesOf(const Matrix &matrix, const std::string &name) const {
    const CatalogFormat *format = KernelCatalog::builtin().format(name);
    if (matrix.name != screened || name != kTargets[kEight].format)
      return format->bytes(matrix.rows, matrix.width);
    int64_t bytes = 0;
    for (const CatalogFormat &other : KernelCatalog::builtin().formats)
      if (other.sameScoresAs == name)
        bytes += other.coarseBytes(matrix.rows, matrix.width);
    return bytes;
  }

  std::vector<Option> optionsOf(const MeasuredPart &measured) const;

  struct Range {
    int64_t weights = 0, least = 0, most = 0; // bytes
  };
  Range range() const;
  llvm::Error checkRange(double bits) const;
};

/// The ids that sensitivity is measured on: windows from all over the text.
reference::Ids spread(const reference::Ids &ids, int64_t most) {
  const auto count = int64_t(ids.size());
  if (count <= most)
    return ids;
  const int64_t windows = std::max<int64_t>(most / kWindow, 1),
                length = most / windows;
  reference::Ids chosen;
  for (int64_t w = 0; w < windows; ++w) {
    const int64_t first =
        windows > 1 ? (count - length) * w / (windows - 1) : 0;
    chosen.insert(chosen.end(), ids.begin() + first,
                  ids.begin() + first + length);
  }
  return chosen;
}

llvm::Error Measured::open(llvm::ArrayRef<double> wanted) {
  build.targets.clear();
  build.pipeline.target.clear(); // it runs here
  build.pipeline.activations = "q8g32";
  build.pipeline.format = kTargets[kEight].format;
  build.pipeline.anyStored = true;
  build.pipeline.taps = false;
  build.pipeline.dumpFolder.clear();
  build.pipeline.schedule.clear(); // it may be of another target
  build.pipeline.prefillChunk = kWindow;
  build.bits.reset();
  build.calibratePath = build.calibrateIds = "";
  build.check = build.embedWeights = build.time = false;
  build.output = folder->at("none");
  if (std::optional<std::string> problem = resolve(build))
    return userError(*problem);
  if (!text.textPath.empty()) {
    auto file = llvm::MemoryBuffer::getFile(text.textPath);
    if (!file)
      return userError("cannot read `" + text.textPath +
                       "`: " + file.getError().message());
    if (!llvm::json::isUTF8((*file)->getBuffer()))
      return userError("`" + text.textPath + "` is no UTF-8 text");
  }
  Diagnostics diags(std::cerr);
  std::optional<CheckpointSource> model =
      openModel(build.model, {build.ignoredKeys, ""}, diags);
  if (!model)
    return said();
  if (!model->tensors)
    return userError("`" + build.model +
                     "` has no weights, and `--bits` measures them");
  if (text.idsPath.empty() && model->tokenizerPath.empty())
    return userError("`" + build.model +
                     "` has no tokenizer for the text that `--bits` calibrates "
                     "with; give token ids with `--calibrate-ids`");
  build.context = std::min(kMeasuredTokens, model->spec.maxPositions);
  stages = verify::Stages::make(build, true);
  if (!stages)
    return said();
  const TensorIndex &tensors = *stages->source().tensors;
  if (auto step = stages->after("screen-head")
                      .lookupSymbol<mlir::func::FuncOp>("decode_screened"))
    step.walk([&](ir::LinearCoarseOp op) {
      screened = op.getWeight().getDefiningOp<ir::WeightOp>().getName().str();
    });
  mlir::func::FuncOp step = verify::stepOf(stages->after("select-formats"));
  for (Part &part : partsOf(step, tensors))
    parts.push_back({std::move(part), {}, 0});
  rowsOnly = lookedUp(step, tensors);
  for (double bits : wanted)
    if (llvm::Error error = checkRange(bits))
      return error;
  // What is rewritten has the plain layout.
  build.pipeline.screenedHead = "off";
  stages = verify::Stages::make(build, true);
  return stages ? llvm::Error::success() : said();
}

llvm::Error Measured::writeEight() {
  for (size_t i = 0; i < std::size(kTargets); ++i) {
    auto made = BlockFile::create(folder->at(kTargets[i].type),
                                  kTargets[i].type, allMatrices());
    if (!made)
      return made.takeError();
    files[i] = std::move(*made);
  }
  for (const Matrix &matrix : allMatrices()) {
    BlockFile &file = *files[kEight];
    uint8_t *blocks = file.blocks(matrix.name);
    if (llvm::Error error = eachPiece(
            matrix, [&](int64_t first, int64_t rows, const float *values) {
              constexpr int64_t kBytes = 34;
              const int64_t groups = matrix.width / quantise::kGroup;
              for (int64_t i = 0; i < rows * groups; ++i)
                codegen::encodeQ8_0(values + i * quantise::kGroup,
                                    blocks + (first * groups + i) * kBytes);
            }))
      return error;
  }
  return llvm::Error::success();
}

llvm::Expected<reference::Ids> Measured::calibrationIds() const {
  return quality::sampleIds(text, search->plain(), kLeastTokens, kMostTokens,
                            stages->source().spec.vocabSize);
}

llvm::Error
Measured::compensateAll(const std::map<std::string, InputRows> &inputs) {
  Progress progress("rounding the parts to 4 and 5 bits",
                    int64_t(parts.size()));
  for (MeasuredPart &measured : parts) {
    const InputRows &rows = inputs.at(measured.part.tap);
    quantise::setThreads(threads());
    quantise::Hessian hessian(rows.width);
    std::vector<float> values;
    for (int64_t t = 0; t < rows.count(); t += kMeasuredTokens) {
      const int64_t count = std::min(kMeasuredTokens, rows.count() - t);
      rows.floats(t, count, values);
      hessian.add(values.data(), count);
    }
    const quantise::Factors factors = hessian.factors();
    quantise::setThreads(1); // rows are shared out
    if (llvm::Error error = compensatePart(measured, factors))
      return error;
    progress.step();
  }
  return llvm::Error::success();
}

llvm::Error Measured::compensatePart(MeasuredPart &measured,
                                     const quantise::Factors &factors) {
  constexpr quantise::BlockType kTypes[] = {quantise::BlockType::Q4_0,
                                            quantise::BlockType::Q5_0};
  for (const Matrix &matrix : measured.part.matrices) {
    std::vector<double> losses[2]; // of pieces, at their first row
    for (std::vector<double> &pieces : losses)
      pieces.assign(size_t(matrix.rows), 0);
    uint8_t *blocks[2] = {files[kFour]->blocks(matrix.name),
                          files[kFive]->blocks(matrix.name)};
    if (llvm::Error error = eachPiece(
            matrix, [&](int64_t first, int64_t rows, const float *values) {
              for (int i : {kFour, kFive})
                losses[i][size_t(first)] = quantise::compensate(
                    values, rows, factors, kTypes[i],
                    blocks[i] + first * files[i]->rowBytes(matrix));
            }))
      return error;
    for (int i : {kFour, kFive})
      for (double piece : losses[i])
        measured.rounding[i] += piece;
  }
  return llvm::Error::success();
}

llvm::Error Measured::measureParts(const reference::Ids &ids) {
  const int64_t vocab = stages->source().spec.vocabSize;
  if (llvm::Error error = search->keepReference(ids))
    return error;
  Progress progress("measuring what 4 bits cost the parts",
                    int64_t(parts.size()));
  for (MeasuredPart &measured : parts) {
    for (const Matrix &matrix : measured.part.matrices)
      search->write(matrix, *files[kFour]);
    llvm::Expected<double> kl = search->divergence(ids, vocab);
    if (!kl)
      return kl.takeError();
    for (const Matrix &matrix : measured.part.matrices)
      search->write(matrix, *files[kEight]);
    measured.kl = std::max(*kl, 0.0);
    progress.step();
  }
  return llvm::Error::success();
}

llvm::Error Measured::measure(llvm::ArrayRef<double> wanted) {
  if (!folder->ok())
    return userError("no temporary folder can be made");
  if (llvm::Error error = open(wanted))
    return error;
  if (llvm::Error error = writeEight())
    return error;
  auto eight = std::make_shared<Requantised>();
  eight->format = build.pipeline.format;
  for (const Matrix &matrix : allMatrices())
    eight->tensors[matrix.name] = files[kEight]->tensor(matrix.name);
  build.requantised = eight;
  auto made = SearchBuild::make(build, *folder, *stages);
  if (!made)
    return made.takeError();
  search = std::move(*made);
  llvm::Expected<reference::Ids> ids = calibrationIds();
  if (!ids)
    return ids.takeError();
  tokens = int64_t(ids->size());
  const int64_t window = std::min(kWindow, *build.context);
  Progress progress("reading " + std::to_string(tokens) +
                        " tokens to calibrate, windows",
                    (tokens + window - 1) / window);
  std::map<std::string, InputRows> inputs;
  for (const MeasuredPart &measured : parts)
    inputs[measured.part.tap];
  for (int64_t t = 0; t < tokens; t += window) {
    const int64_t end = std::min(t + window, tokens);
    if (llvm::Error error = search->collect(
            reference::Ids(ids->begin() + t, ids->begin() + end), inputs))
      return error;
    progress.step();
  }
  if (llvm::Error error = compensateAll(inputs))
    return error;
  return measureParts(spread(*ids, *build.context));
}

std::vector<Option> Measured::optionsOf(const MeasuredPart &measured) const {
  std::vector<Option> options;
  auto add = [&](std::vector<std::string> formats, double loss) {
    Option option{std::move(formats), 0, loss};
    for (size_t i = 0; i < option.formats.size(); ++i)
      option.bytes += bytesOf(measured.part.matrices[i], option.formats[i]);
    options.push_back(std::move(option));
  };
  const std::vector<Matrix> &matrices = measured.part.matrices;
  const double five =
      measured.rounding[kFour] > 0
          ? measured.kl * measured.rounding[kFive] / measured.rounding[kFour]
          : measured.kl / 4;
  const double losses[] = {measured.kl, five, five * kLossOfEight};
  for (size_t i = 0; i < std::size(kTargets); ++i) {
    const bool asStored = llvm::all_of(matrices, [&](const Matrix &matrix) {
      return matrix.lossless == kTargets[i].format;
    });
    add(std::vector<std::string>(matrices.size(), kTargets[i].format),
        asStored ? 0 : losses[i]);
  }
  std::vector<std::string> own;
  for (const Matrix &matrix : matrices)
    own.push_back(matrix.lossless);
  if (!llvm::is_contained(own, "") &&
      !(measured.part.oneFormat && !llvm::all_equal(own)))
    add(own, 0);
  return options;
}

Measured::Range Measured::range() const {
  Range range;
  for (const MeasuredPart &measured : parts) {
    const std::vector<Option> options = optionsOf(measured);
    auto [low, high] = std::minmax_element(
        options.begin(), options.end(),
        [](const Option &a, const Option &b) { return a.bytes < b.bytes; });
    range.least += low->bytes;
    range.most += high->bytes;
    for (const Matrix &matrix : measured.part.matrices)
      range.weights += matrix.rows * matrix.width;
  }
  return range;
}

llvm::Error Measured::checkRange(double bits) const {
  const Range all = range();
  if (all.weights == 0)
    return userError("`" + build.model +
                     "` has no matrices with rows of a multiple of 32");
  const double lowest = kByte * double(all.least) / double(all.weights),
               highest = kByte * double(all.most) / double(all.weights);
  // As far as two digits behind the point go.
  constexpr double kShown = 0.005;
  if (bits >= lowest - kShown && bits <= highest + kShown)
    return llvm::Error::success();
  return userError("`--bits` is " + number(bits, "%g") + "; the matrices of `" +
                   build.model + "` can have " + number(lowest, "%.2f") +
                   " to " + number(highest, "%.2f") + " bits a weight");
}

llvm::Expected<std::shared_ptr<const Requantised>>
Measured::choose(double bits) const {
  if (llvm::Error error = checkRange(bits))
    return std::move(error);
  std::vector<std::vector<Option>> options;
  std::vector<std::vector<quantise::Choice>> choices;
  for (const MeasuredPart &measured : parts) {
    options.push_back(optionsOf(measured));
    std::vector<quantise::Choice> &costs = choices.emplace_back();
    for (const Option &option : options.back())
      costs.push_back({option.bytes, option.loss});
  }
  const auto weights = double(range().weights);
  const int64_t budget =
      std::max(range().least, int64_t(bits * weights / kByte));
  const std::vector<int64_t> chosen =
      quantise::exchangeFormats(choices, budget);

  auto result = std::make_shared<Requantised>();
  std::map<std::string, int64_t> uses;
  std::map<std::string, std::string> formats;
  double loss = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Option &option = options[i][size_t(chosen[i])];
    loss += option.loss;
    bytes += option.bytes;
    for (size_t m = 0; m < option.formats.size(); ++m)
      formats[parts[i].part.matrices[m].name] = option.formats[m];
  }
  for (const Matrix &matrix : rowsOnly)
    formats[matrix.name] =
        matrix.lossless.empty() ? kTargets[kEight].format : matrix.lossless;
  for (const auto &[name, format] : formats)
    ++uses[format];
  const auto common = std::max_element(
      uses.begin(), uses.end(),
      [](const auto &a, const auto &b) { return a.second < b.second; });
  result->format = common->first;
  nlohmann::ordered_json tensors = nlohmann::ordered_json::object();
  for (const Matrix &matrix : allMatrices()) {
    const std::string &format = formats.at(matrix.name);
    if (format != common->first)
      result->format += "+" + matrix.name + "=" + format;
    if (format == matrix.lossless)
      continue;
    for (size_t i = 0; i < std::size(kTargets); ++i) {
      if (format != kTargets[i].format ||
          (i == kEight && matrix.lossless.empty()))
        continue; // the packer rounds floats to 8 bits
      StoredTensor made = files[i]->tensor(matrix.name);
      llvm::Expected<verify::Likeness> likeness =
          likenessOf(made, matrix.stored);
      if (!likeness)
        return likeness.takeError();
      tensors[matrix.name] = {{"digest", likeness->digest},
                              {"noise", likeness->noise}};
      result->tensors[matrix.name] = std::move(made);
    }
  }
  const double reached = kByte * double(bytes) / weights;
  say("bits " + number(reached, "%.3f") + " a weight, " +
      number(double(bytes) / 1e6, "%.1f") + " MB a token; expected KL " +
      number(loss, "%.4f"));
  nlohmann::ordered_json description = {{"wanted", bits},
                                        {"reached", reached},
                                        {"tokens", tokens},
                                        {"expected_kl", loss},
                                        {"tensors", std::move(tensors)}};
  result->description = description.dump();
  result->files = folder;
  return result;
}

} // namespace

llvm::Expected<std::shared_ptr<Search>>
Search::make(const CompileOptions &build, llvm::ArrayRef<double> wanted) {
  auto measured = std::make_shared<Measured>(build);
  if (llvm::Error error = measured->measure(wanted))
    return std::move(error);
  return measured;
}

std::optional<std::string> checkBits(const CompileOptions &options) {
  if (!options.bits) {
    if (!options.calibratePath.empty() || !options.calibrateIds.empty())
      return std::string("`--calibrate") +
             (options.calibratePath.empty() ? "-ids" : "") +
             "` is for `--bits`, which is missing";
    return std::nullopt;
  }
  if (!std::isfinite(*options.bits) || *options.bits <= 0)
    return "`--bits` is " + number(*options.bits, "%g") +
           "; it is the mean bits of a weight, such as 4.5";
  if (options.formatGiven)
    return "`--bits` chooses formats itself; it does not go with `--format`";
  if (options.activationsGiven && options.pipeline.activations != "q8g32")
    return "`--bits` is for activations in q8g32, not " +
           options.pipeline.activations;
  if (options.zeroWeights)
    return "`--bits` measures the model's weights; it does not go with "
           "`--zero-weights`";
  if (!options.calibratePath.empty() && !options.calibrateIds.empty())
    return "`--calibrate` and `--calibrate-ids` both say what to calibrate "
           "with; give one";
  return std::nullopt;
}

} // namespace qwen::bits
