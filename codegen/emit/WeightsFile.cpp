// WeightsFile.cpp - lays out the sections, and has `qwenc-kernel pack` fill in
// the tensors.
#include "codegen/emit/WeightsFile.h"

#include "codegen/emit/ChildProcess.h"
#include "codegen/emit/KernelObjects.h"
#include "codegen/emit/OutputFile.h"
#include "qwen/qwen.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Threading.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>
#include <set>

namespace qwen {
namespace {

constexpr int64_t kSectionAlignment = 4096;

/// What the bytes of the tensor section depend on beside the fingerprint, as a
/// JSON value.
llvm::Expected<llvm::json::Value> sourceIdentity(const WeightsFile &file,
                                                 const std::string &packer) {
  std::set<std::string> paths;
  for (const auto &[name, source] : file.sources)
    paths.insert(source.path);
  llvm::json::Array files;
  for (const std::string &path : paths) {
    llvm::sys::fs::file_status status;
    if (std::error_code error = llvm::sys::fs::status(path, status))
      return userError("cannot read `" + path + "`: " + error.message());
    files.push_back(llvm::json::Object{
        {"path", path},
        {"bytes", int64_t(status.getSize())},
        {"changed_ns",
         int64_t(
             status.getLastModificationTime().time_since_epoch().count())}});
  }
  return llvm::json::Object{{"files", std::move(files)}, {"packer", packer}};
}

/// Everything before the tensor section, padded to its start.
llvm::Expected<std::string> frontMatter(const WeightsFile &file,
                                        const std::string &packer) {
  llvm::Expected<llvm::json::Value> generation = llvm::json::parse(
      file.generation.empty() ? "{}" : llvm::StringRef(file.generation));
  if (!generation)
    return generation.takeError();
  llvm::Expected<llvm::json::Value> identity = sourceIdentity(file, packer);
  if (!identity)
    return identity.takeError();
  generation->getAsObject()->try_emplace("packed_from", std::move(*identity));
  std::string text;
  llvm::raw_string_ostream(text) << *generation;

  qwen_weights_header header = {};
  std::memcpy(header.magic, QWEN_WEIGHTS_MAGIC, sizeof(header.magic));
  header.abi_version = QWEN_ABI_VERSION;
  header.section_count = QWEN_SECTION_COUNT;
  std::memcpy(header.fingerprint, file.fingerprint.data(),
              sizeof(header.fingerprint));
  int64_t at = sizeof(header);
  auto place = [&](int kind, int64_t bytes) {
    at = llvm::alignTo(at, kSectionAlignment);
    header.sections[kind] = {uint64_t(at), uint64_t(bytes)};
    at += bytes;
  };
  place(QWEN_SECTION_TOKENIZER, file.tokenizer.size());
  place(QWEN_SECTION_GENERATION, text.size());
  place(QWEN_SECTION_TENSORS, file.tensorBytes);
  header.file_bytes = at;

  std::string bytes(header.sections[QWEN_SECTION_TENSORS].offset, '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + header.sections[QWEN_SECTION_TOKENIZER].offset,
              file.tokenizer.data(), file.tokenizer.size());
  std::memcpy(bytes.data() + header.sections[QWEN_SECTION_GENERATION].offset,
              text.data(), text.size());
  return bytes;
}

/// Whether the file at `path` begins with `front` and has `bytes` bytes: then
/// its tensors are the wanted ones too.
bool isCurrent(const std::string &path, llvm::StringRef front, int64_t bytes) {
  uint64_t size = 0;
  if (llvm::sys::fs::file_size(path, size) || int64_t(size) != bytes)
    return false;
  auto begin = llvm::MemoryBuffer::getFileSlice(path, front.size(), 0);
  return begin && (*begin)->getBuffer() == front;
}

llvm::Expected<llvm::json::Value> packRequest(const WeightsFile &file,
                                              const std::string &output,
                                              int64_t sectionOffset,
                                              int64_t jobs) {
  llvm::json::Array tensors;
  for (const PackedTensor &tensor : file.tensors) {
    llvm::json::Array planes;
    for (const PackedPlane &plane : tensor.planes)
      planes.push_back(llvm::json::Object{{"name", plane.name},
                                          {"offset", plane.offsetBytes}});
    llvm::json::Object entry{{"name", tensor.name},
                             {"format", tensor.format},
                             {"shape", llvm::json::Array(tensor.shape)},
                             {"planes", std::move(planes)}};
    if (tensor.format == "rope") {
      entry["theta"] = tensor.ropeTheta;
    } else {
      auto source = file.sources.find(tensor.name);
      if (source == file.sources.end())
        return userError("the checkpoint has no tensor `" + tensor.name + "`");
      entry["source"] =
          llvm::json::Object{{"path", source->second.path},
                             {"offset", source->second.offsetBytes},
                             {"size", source->second.sizeBytes},
                             {"storedType", source->second.storedType}};
    }
    tensors.push_back(std::move(entry));
  }
  return llvm::json::Object{{"output", output},
                            {"sectionOffset", sectionOffset},
                            {"jobs", jobs},
                            {"tensors", std::move(tensors)}};
}

} // namespace

llvm::Expected<bool> writeWeightsFile(const WeightsFile &file,
                                      OutputFile &output,
                                      const PackOptions &options) {
  llvm::Expected<std::string> packer = programIdentity(options.compiler);
  if (!packer)
    return packer.takeError();
  llvm::Expected<std::string> front = frontMatter(file, *packer);
  if (!front)
    return front.takeError();
  int64_t fileBytes = int64_t(front->size()) + file.tensorBytes;
  if (isCurrent(output.path(), *front, fileBytes))
    return false;

  if (llvm::Error error = output.write(*front))
    return error;
  if (llvm::Error error = output.reserve(fileBytes))
    return error;
  int64_t jobs =
      options.jobs > 0
          ? options.jobs
          : llvm::heavyweight_hardware_concurrency().compute_thread_count();
  llvm::Expected<llvm::json::Value> request =
      packRequest(file, output.temporary(), front->size(), jobs);
  if (!request)
    return request.takeError();
  OutputFile requestFile(
      output.path() +
      ".request.json"); // never committed: removed when packing is done
  std::string text;
  llvm::raw_string_ostream(text) << *request;
  if (llvm::Error error = requestFile.write(text))
    return error;
  llvm::errs() << "qwenc: packing " << file.tensors.size() << " tensors, "
               << (file.tensorBytes >> 20) << " MiB\n";
  if (llvm::Error error =
          runProgram(options.compiler, {"pack", requestFile.temporary()}))
    return error;
  return true;
}

llvm::Error writeZeroWeights(const WeightsFile &file, OutputFile &output) {
  llvm::Expected<std::string> front = frontMatter(file, "zeros");
  if (!front)
    return front.takeError();
  if (llvm::Error error = output.write(*front))
    return error;
  return output.reserve(int64_t(front->size()) + file.tensorBytes);
}

} // namespace qwen
