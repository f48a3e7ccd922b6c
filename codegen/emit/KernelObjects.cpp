// KernelObjects.cpp - the kernel cache: <cache>/kernels/<compiler
// identity>/<symbol>.o.
#include "codegen/emit/KernelObjects.h"

#include "codegen/emit/ChildProcess.h"
#include "codegen/emit/OutputFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Threading.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

namespace qwen {
std::string defaultCacheFolder() {
  llvm::SmallString<128> path;
  if (auto folder = llvm::sys::Process::GetEnv("XDG_CACHE_HOME");
      folder && !folder->empty())
    path = *folder;
  else if (!llvm::sys::path::home_directory(path))
    path = "/tmp";
  else
    llvm::sys::path::append(path, ".cache");
  llvm::sys::path::append(path, "qwenc");
  return path.str().str();
}

llvm::Expected<std::string> programIdentity(const std::string &program) {
  auto bytes = llvm::MemoryBuffer::getFile(program, /*IsText=*/false,
                                           /*RequiresNullTerminator=*/false);
  if (!bytes)
    return userError("cannot read the kernel compiler `" + program +
                     "`: " + bytes.getError().message());
  return llvm::utohexstr(llvm::xxh3_64bits((*bytes)->getBuffer()),
                         /*LowerCase=*/true, 16);
}

llvm::Expected<std::string> compilerIdentity(const std::string &compiler) {
  llvm::SmallString<128> native(llvm::sys::path::parent_path(compiler));
  llvm::sys::path::append(native, "qwenc-native");
  llvm::Expected<std::string> first = programIdentity(compiler);
  if (!first)
    return first;
  llvm::Expected<std::string> second = programIdentity(native.str().str());
  if (!second)
    return second;
  return *first + *second;
}

llvm::Expected<std::vector<std::string>>
kernelObjects(const std::vector<std::string> &symbols,
              const KernelObjectOptions &options) {
  llvm::Expected<std::string> identity = compilerIdentity(options.compiler);
  if (!identity)
    return identity.takeError();
  llvm::SmallString<128> folder(
      options.cacheFolder.empty() ? defaultCacheFolder() : options.cacheFolder);
  llvm::sys::path::append(folder, "kernels", *identity);
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return userError("cannot create `" + folder + "`: " + error.message());

  std::vector<std::string> objects, missing;
  for (const std::string &symbol : symbols) {
    llvm::SmallString<256> path(folder);
    llvm::sys::path::append(path, symbol + ".o");
    objects.push_back(path.str().str());
    if (!llvm::sys::fs::exists(path))
      missing.push_back(symbol);
  }
  if (missing.empty())
    return objects;

  llvm::errs() << "qwenc: building " << missing.size()
               << (missing.size() == 1 ? " kernel" : " kernels") << "\n";
  int64_t jobs =
      options.jobs > 0
          ? options.jobs
          : llvm::heavyweight_hardware_concurrency().compute_thread_count();
  std::vector<std::string> arguments = {
      "build", "--out-dir", folder.str().str(), "-j", std::to_string(jobs)};
  arguments.insert(arguments.end(), missing.begin(), missing.end());
  if (llvm::Error error = runProgram(options.compiler, arguments))
    return std::move(error);
  for (const std::string &object : objects)
    if (!llvm::sys::fs::exists(object))
      return userError("`" + options.compiler + "` left no `" + object + "`");
  return objects;
}

} // namespace qwen
