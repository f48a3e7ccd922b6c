// SearchBuild.cpp - compiles, runs, and writes panels.
#include "tools/qwenc/bits/SearchBuild.h"

#include "codegen/emit/OutputFile.h"
#include "codegen/formats/Half.h"
#include "passes/transforms/WeightLayout.h"
#include "qwen/qwen.h"
#include "tools/qwenc/quality/Divergence.h"

#include <algorithm>
#include <cstring>

namespace qwen::bits {
namespace {

constexpr int64_t kGroup = 32;
constexpr int64_t kPanel = 16; // rows
constexpr int kZeroPoint = 128;

} // namespace

void InputRows::floats(int64_t first, int64_t rows,
                       std::vector<float> &out) const {
  out.resize(size_t(rows * width));
  for (int64_t i = 0; i < rows * width; ++i)
    out[size_t(i)] = float(values[size_t(first * width + i)]) *
                     scales[size_t((first * width + i) / kGroup)];
}

llvm::Expected<std::unique_ptr<SearchBuild>>
SearchBuild::make(const CompileOptions &options,
                  const verify::WorkFolder &folder, verify::Stages &stages) {
  std::unique_ptr<SearchBuild> build(new SearchBuild(folder));
  CompileOptions one = options;
  one.output = folder.at("eight");
  if (compileModel(one) != 0)
    return llvm::createStringError(""); // said already
  const std::string path = one.output + ".weights";
  one.output = folder.at("tapped");
  one.pipeline.taps = true;
  one.pack = false;
  if (compileModel(one) != 0)
    return llvm::createStringError("");
  build->untapped =
      std::make_unique<verify::Executable>(folder.at("eight"), path, folder);
  build->tapped =
      std::make_unique<verify::Executable>(folder.at("tapped"), path, folder);
  auto region = mapFile(path);
  if (!region)
    return region.takeError();
  build->weights = std::move(*region);
  qwen_weights_header header;
  std::memcpy(&header, build->weights->data(), sizeof(header));
  const auto start = int64_t(header.sections[QWEN_SECTION_TENSORS].offset);
  stages.after("plan-buffers").walk([&](ir::PackedWeightOp op) {
    auto type = llvm::cast<ir::WeightType>(op.getType());
    if (!type.isMatrix())
      return;
    const WeightLayout layout = weightLayout(type);
    const int64_t at = start + int64_t(op.getOffset());
    build->places[op.getName().str()] = {at + layout.planes[0].offsetBytes,
                                         at + layout.planes[1].offsetBytes,
                                         layout.planes[0].plane->pitchBytes};
  });
  return build;
}

llvm::Error
SearchBuild::collect(const reference::Ids &ids,
                     std::map<std::string, InputRows> &inputs) const {
  const std::string file = folder.at("inputs.safetensors");
  if (llvm::Error error = tapped->writeTaps(ids, /*decode=*/false, file))
    return error;
  auto wanted = [&](llvm::StringRef name) {
    return (name.consume_back(".values") || name.consume_back(".scales")) &&
           inputs.count(name.str()) != 0;
  };
  llvm::Expected<verify::TapRows> arrays = verify::readArrays(file, wanted);
  if (!arrays)
    return arrays.takeError();
  for (auto &[name, rows] : inputs) {
    const auto values = arrays->find(name + ".values"),
               scales = arrays->find(name + ".scales");
    if (values == arrays->end() || scales == arrays->end())
      return userError("`" + tapped->path + "` keeps no rows `" + name + "`");
    rows.width = values->second.width;
    for (double value : values->second.values)
      rows.values.push_back(int8_t(value));
    for (double scale : scales->second.values)
      rows.scales.push_back(float(scale));
  }
  return llvm::Error::success();
}

void SearchBuild::write(const Matrix &matrix, BlockFile &blocks) {
  const Place &place = places.at(matrix.name);
  auto *bytes = reinterpret_cast<uint8_t *>(weights->data());
  const int64_t groups = matrix.width / kGroup,
                blockBytes = blocks.rowBytes(matrix) / groups;
  const uint8_t *block = blocks.blocks(matrix.name);
  for (int64_t n = 0; n < matrix.rows; ++n)
    for (int64_t g = 0; g < groups; ++g, block += blockBytes) {
      int8_t quants[kGroup];
      const uint16_t half = decodeBlock(blocks.type(), block, quants);
      const int64_t index = n / kPanel * groups + g;
      uint8_t *to = bytes + place.quants + index * place.pitch;
      for (int64_t k = 0; k < kGroup; ++k)
        to[4 * (kPanel * (k / 4) + n % kPanel) + k % 4] =
            uint8_t(int(quants[k]) + kZeroPoint);
      codegen::store(
          bytes + place.scales + index * place.pitch + 2 * (n % kPanel), half);
    }
}

llvm::Error SearchBuild::keepReference(const reference::Ids &ids) {
  return untapped->writeLogits(ids, 0, 0, folder.at("reference.npy"));
}

llvm::Expected<double> SearchBuild::divergence(const reference::Ids &ids,
                                               int64_t vocab) const {
  const std::string file = folder.at("logits.npy");
  if (llvm::Error error = untapped->writeLogits(ids, 0, 0, file))
    return error;
  auto reference = quality::LogitsFile::open(folder.at("reference.npy"), vocab);
  if (!reference)
    return reference.takeError();
  auto logits = quality::LogitsFile::open(file, vocab);
  if (!logits)
    return logits.takeError();
  return quality::compareLogits(*reference, *logits, ids).kl;
}

} // namespace qwen::bits
