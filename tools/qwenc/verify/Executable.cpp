// Executable.cpp - child processes and the files they leave.
#include "tools/qwenc/verify/Executable.h"

#include "codegen/catalog/Catalog.h"
#include "codegen/emit/OutputFile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace qwen::verify {
namespace {

llvm::Expected<std::string> readAll(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return userError("cannot read `" + path +
                     "`: " + file.getError().message());
  return (*file)->getBuffer().str();
}

/// A schedule file that chooses these very kernels. An entry counts for all
/// symbols that have its options, so those with more of them come later.
std::string scheduleOf(const std::vector<std::string> &symbols) {
  std::vector<KernelSymbol> kernels;
  for (const std::string &text : symbols)
    if (auto symbol = KernelSymbol::parse(text))
      kernels.push_back(std::move(*symbol));
  llvm::sort(kernels, [](const KernelSymbol &a, const KernelSymbol &b) {
    return a.options.size() < b.options.size();
  });
  nlohmann::ordered_json points = nlohmann::ordered_json::array();
  for (const KernelSymbol &symbol : kernels) {
    const CatalogKernel *kernel =
        KernelCatalog::builtin().kernel(symbol.kernel);
    if (!kernel || kernel->knobs.size() != symbol.point.size())
      continue;
    nlohmann::ordered_json dims = nlohmann::ordered_json::object(),
                           point = dims;
    for (const auto &[name, value] : symbol.dims)
      dims[name] = value;
    for (size_t i = 0; i < symbol.point.size(); ++i)
      point[kernel->knobs[i].name] = symbol.point[i];
    points.push_back({{"kernel", symbol.kernel},
                      {"options", symbol.options},
                      {"dims", dims},
                      {"point", point}});
  }
  return nlohmann::ordered_json{{"points", points}}.dump();
}

} // namespace

bool isExecutable(const std::string &path) {
  if (llvm::sys::fs::is_directory(path))
    return false;
  auto start = llvm::MemoryBuffer::getFileSlice(path, 4, 0);
  return start && (*start)->getBuffer() == "\x7f"
                                           "ELF";
}

llvm::Expected<reference::Ids> readIds(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return userError("cannot read `" + path +
                     "`: " + file.getError().message());
  reference::Ids ids;
  llvm::StringRef rest = (*file)->getBuffer();
  while (!(rest = rest.ltrim(" \t\r\n,")).empty()) {
    int64_t id = 0;
    if (rest.consumeInteger(10, id))
      return userError("`" + path + "` holds something that is no token id");
    ids.push_back(int32_t(std::clamp<int64_t>(id, INT32_MIN, INT32_MAX)));
  }
  return ids;
}

llvm::Expected<std::string>
Executable::capture(std::vector<std::string> arguments,
                    unsigned limitSeconds) const {
  if (!weights.empty()) {
    arguments.push_back("--weights");
    arguments.push_back(weights);
  }
  llvm::SmallVector<llvm::StringRef> words = {path};
  words.append(arguments.begin(), arguments.end());
  std::string out = folder.at("stdout"), error = folder.at("stderr"), message;
  // The files are not emptied when they are opened for the program.
  for (const std::string &file : {out, error}) {
    const std::error_code ignored = llvm::sys::fs::remove(file);
    static_cast<void>(ignored);
  }
  std::optional<llvm::StringRef> redirects[] = {
      llvm::StringRef(""), llvm::StringRef(out), llvm::StringRef(error)};
  int status = llvm::sys::ExecuteAndWait(path, words, std::nullopt, redirects,
                                         limitSeconds, 0, &message);
  if (status != 0) {
    llvm::Expected<std::string> said = readAll(error);
    std::string text = said ? *said : "";
    if (!said)
      llvm::consumeError(said.takeError());
    return userError("`" + path + " " + arguments[0] + "` " +
                     (status < 0
                          ? "crashed: " + message
                          : "failed with exit code " + std::to_string(status)) +
                     (text.empty() ? "" : ": " + text.substr(0, 500)));
  }
  return readAll(out);
}

llvm::Error Executable::readInfo(CompileOptions &options) {
  llvm::Expected<std::string> text = info();
  if (!text)
    return text.takeError();
  nlohmann::json told = nlohmann::json::parse(*text, nullptr, false);
  try {
    const nlohmann::json &description = told.at("description");
    options.model = description.at("model");
    options.pipeline.format = description.at("format");
    options.pipeline.activations = description.at("activations");
    options.pipeline.target = description.at("target");
    options.pipeline.screenedHead = description.at("screened_head");
    options.pipeline.disabledPasses = description.at("disabled_passes");
    options.cacheType = description.at("cache_type");
    options.context = told.at("plan").at("context").get<int64_t>();
    options.pipeline.prefillChunk = told.at("plan").at("prefill_chunk");
    options.pipeline.chunkBytes = description.value("chunk_bytes", int64_t(0));
    options.pipeline.attentionRows =
        description.value("attention_rows", int64_t(0));
    options.pipeline.kvSplit = description.value("kv_split", int64_t(0));
    options.barrierSpinUs = description.value("barrier_spin_us", int64_t(0));
    options.pipeline.schedule = folder.at("schedule.json");
    options.ignoreTuned = true;
    if (llvm::Error error = writeOutput(options.pipeline.schedule,
                                        scheduleOf(description.at("kernels"))))
      return error;
    hasTaps = description.at("taps");
    if (description.contains("bits")) {
      options.pipeline.anyStored = true;
      for (const auto &[name, told] : description["bits"].at("tensors").items())
        madeAnew[name] = {told.at("digest"), told.at("noise")};
    }
    if (weights.empty() && told.at("weights").is_object())
      weights = told.at("weights").at("path");
  } catch (const nlohmann::json::exception &) {
    return userError("`" + path +
                     " info` does not tell what it was built "
                     "from");
  }
  return llvm::Error::success();
}

llvm::Error Executable::writeIds(const reference::Ids &ids) const {
  std::string text;
  for (int32_t id : ids)
    text += std::to_string(id) + "\n";
  return writeOutput(folder.at("ids"), text);
}

llvm::Expected<reference::Ids>
Executable::tokenize(const std::string &text) const {
  llvm::Expected<std::string> out = capture({"tokenize", text});
  if (!out)
    return out.takeError();
  reference::Ids ids;
  for (llvm::StringRef rest = *out; !(rest = rest.ltrim()).empty();) {
    int32_t id = 0;
    if (rest.consumeInteger(10, id))
      break;
    ids.push_back(id);
  }
  return ids;
}

llvm::Error Executable::writeTaps(const reference::Ids &ids, bool decode,
                                  const std::string &file) const {
  if (llvm::Error error = writeIds(ids))
    return error;
  std::vector<std::string> arguments = {"taps", "--ids", folder.at("ids"),
                                        "-o",   file,    "--poison"};
  if (decode)
    arguments.push_back("--decode");
  llvm::Expected<std::string> out = capture(arguments);
  return out ? llvm::Error::success() : out.takeError();
}

llvm::Expected<TapRows> Executable::taps(const reference::Ids &ids,
                                         bool decode) const {
  std::string file = folder.at("taps.safetensors");
  if (llvm::Error error = writeTaps(ids, decode, file))
    return error;
  llvm::Expected<TapRows> taps = readArrays(file);
  if (taps)
    if (llvm::Error error = joinQuantized(*taps))
      return error;
  return taps;
}

llvm::Expected<std::string>
Executable::tokens(const reference::Ids &ids, int64_t count, int64_t threads,
                   const std::vector<std::string> &sampling) const {
  if (llvm::Error error = writeIds(ids))
    return error;
  std::vector<std::string> arguments = {"run",
                                        "--ids",
                                        folder.at("ids"),
                                        "--output-ids",
                                        "-n",
                                        std::to_string(count),
                                        "--ignore-stop",
                                        "--poison",
                                        "--threads",
                                        std::to_string(threads)};
  llvm::append_range(arguments, sampling);
  return capture(std::move(arguments));
}

llvm::Error Executable::writeLogits(const reference::Ids &ids, int64_t threads,
                                    int64_t chunk,
                                    const std::string &file) const {
  if (llvm::Error error = writeIds(ids))
    return error;
  std::vector<std::string> arguments = {"logits", "--ids", folder.at("ids"),
                                        "-o",     file,    "--poison"};
  if (threads > 0)
    arguments.insert(arguments.end(), {"--threads", std::to_string(threads)});
  if (chunk > 0)
    arguments.insert(arguments.end(), {"--chunk", std::to_string(chunk)});
  llvm::Expected<std::string> out = capture(arguments);
  return out ? llvm::Error::success() : out.takeError();
}

llvm::Expected<std::string> Executable::logits(const reference::Ids &ids,
                                               int64_t threads,
                                               int64_t chunk) const {
  std::string file = folder.at("logits.npy");
  if (llvm::Error error = writeLogits(ids, threads, chunk, file))
    return error;
  llvm::Expected<std::string> bytes = readAll(file);
  constexpr size_t kPrefix = 10;
  if (bytes && bytes->size() >= kPrefix) {
    size_t header =
        kPrefix + uint8_t((*bytes)[8]) + (size_t(uint8_t((*bytes)[9])) << 8);
    bytes->erase(0, header);
  }
  return bytes;
}

llvm::Expected<Executable::Speed>
Executable::bench(int64_t prompt, int64_t generate, const std::string &threads,
                  unsigned limitSeconds) const {
  llvm::Expected<std::string> out =
      capture({"bench", "--json", "-t", threads, "-p", std::to_string(prompt),
               "-n", std::to_string(generate), "-r", "1"},
              limitSeconds);
  if (!out)
    return out.takeError();
  Speed speed;
  try {
    const nlohmann::json row = nlohmann::json::parse(*out).at("results").at(0);
    speed = {row.at("prefill_tok_s"), row.at("decode_tok_s")};
  } catch (const nlohmann::json::exception &) {
    speed = {};
  }
  if (!(speed.prefill > 0 && speed.decode > 0))
    return userError("`" + path + " bench` tells no speed");
  return speed;
}

} // namespace qwen::verify
