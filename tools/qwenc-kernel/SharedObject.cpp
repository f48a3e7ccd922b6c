// SharedObject.cpp - links with whichever linker this machine has. Kernels call
// nothing but memset and its kind, or they do not link: an executable has no
// libm for them.
#include "tools/qwenc-kernel/SharedObject.h"
#include "codegen/kernels/RunProgram.h"

#include <cstdlib>
#include <set>

#include <dlfcn.h>

namespace qwen {
namespace {

/// The file of the C library that this process has.
std::string libc() {
  Dl_info info = {};
  void *memset = dlsym(RTLD_DEFAULT, "memset");
  return memset && dladdr(memset, &info) && info.dli_fname ? info.dli_fname
                                                           : "libc.so.6";
}

} // namespace

SharedObject::SharedObject(const std::vector<KernelSymbol> &symbols,
                           int64_t jobs)
    : SharedObject(
          symbols,
          BuildOptions{.directory = {}, .jobs = jobs, .progress = nullptr}) {}

SharedObject::SharedObject(const std::vector<KernelSymbol> &symbols,
                           BuildOptions options) {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "qwenc-kernel-XXXXXX").string();
  if (!mkdtemp(pattern.data())) {
    failureTexts.push_back(pattern + ": cannot create");
    return;
  }
  folder = pattern;
  if (options.directory.empty())
    options.directory = folder;
  failureTexts = buildObjects(symbols, options);
  std::set<std::string> objects;
  for (const KernelSymbol &symbol : symbols)
    if (const auto object = options.directory / (symbol.str() + ".o");
        std::filesystem::exists(object))
      objects.insert(object.string());
  if (objects.empty())
    return;
  const std::string library = (folder / "kernels.so").string();
  std::optional<std::string> problem;
  for (const char *linker : {"ld.lld-22", "ld.lld", "ld"}) {
    std::vector<std::string> words{linker, "-shared", "--no-undefined", "-o",
                                   library};
    words.insert(words.end(), objects.begin(), objects.end());
    words.push_back(libc());
    problem = codegen::runProgram(words);
    if (!problem) {
      handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
      break;
    }
  }
  if (!handle)
    failureTexts.push_back("the kernels do not link: " +
                           (problem ? *problem : std::string(dlerror())));
}

SharedObject::~SharedObject() {
  if (handle)
    dlclose(handle);
  std::error_code ignored;
  if (!folder.empty())
    std::filesystem::remove_all(folder, ignored);
}

void *SharedObject::find(const KernelSymbol &symbol) const {
  return handle ? dlsym(handle, symbol.str().c_str()) : nullptr;
}

} // namespace qwen
