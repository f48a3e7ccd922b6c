// TunedChoices.cpp - order: `--schedule`, this machine's results, the shipped
// points, the default of the target's registers.
#include "tools/qwenc/TunedChoices.h"

#include "codegen/catalog/Tuned.h"
#include "codegen/emit/KernelObjects.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

namespace qwen {

std::string tunedPath(const std::string &target) {
  llvm::SmallString<128> path(defaultCacheFolder());
  llvm::sys::path::append(path, "schedules", tunedFileName(target, cpuName()));
  return path.str().str();
}

std::string modelKey(const ModelSpec &spec, const CompileOptions &options) {
  auto part = [](const char *letter, int64_t value) {
    return letter + std::to_string(value) + "_";
  };
  return part("d", spec.hiddenSize) + part("f", spec.ffnSize) +
         part("l", spec.layers) + part("h", spec.queryHeads) +
         part("g", spec.keyValueHeads) + part("c", spec.headWidth) +
         part("v", spec.vocabSize) + options.pipeline.format + "_" +
         options.pipeline.activations + "_" + options.cacheType;
}

std::optional<std::string> applyTuned(const ModelSpec &spec,
                                      CompileOptions &options) {
  if (options.ignoreTuned)
    return std::nullopt;
  const std::string path = tunedPath(options.pipeline.target);
  if (!llvm::sys::fs::exists(path))
    return std::nullopt;
  auto text = llvm::MemoryBuffer::getFile(path);
  if (!text)
    return path + ": error: cannot be read: " + text.getError().message();
  std::string error;
  const auto file = ScheduleFile::parse(
      (*text)->getBuffer().str(), KernelCatalog::builtin(), error, cpuName());
  if (!file)
    return path + ": error: " + error;
  if (const std::string note = file->ignoredNote(); !note.empty())
    llvm::errs() << path << ": note: " << note << "\n";
  options.pipeline.tuned = path;
  const std::string key = modelKey(spec, options);
  for (const ScheduleFile::Model &model : file->models) {
    if (model.model != key)
      continue;
    apply(model, options);
  }
  return std::nullopt;
}

void apply(const ScheduleFile::Model &choices, CompileOptions &options) {
  if (choices.chunkBytes)
    options.pipeline.chunkBytes = *choices.chunkBytes;
  if (choices.prefillChunk.value_or(0) > 0 && !options.prefillChunkGiven)
    options.pipeline.prefillChunk = *choices.prefillChunk;
  if (choices.attentionRows)
    options.pipeline.attentionRows = *choices.attentionRows;
  if (choices.kvSplit)
    options.pipeline.kvSplit = *choices.kvSplit;
  if (choices.barrierSpinUs)
    options.barrierSpinUs = *choices.barrierSpinUs;
}

} // namespace qwen
