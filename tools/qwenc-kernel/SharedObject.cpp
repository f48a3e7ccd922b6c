// SharedObject.cpp - links with whichever linker this machine has; kernels need
// no library.
#include "tools/qwenc-kernel/SharedObject.h"
#include "codegen/kernels/RunProgram.h"

#include <cstdlib>
#include <set>

#include <dlfcn.h>

namespace qwen {

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
  for (const char *linker : {"ld.lld-22", "ld.lld", "ld"}) {
    std::vector<std::string> words{linker, "-shared", "-o", library};
    words.insert(words.end(), objects.begin(), objects.end());
    if (!codegen::runProgram(words)) {
      handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
      break;
    }
  }
  if (!handle) {
    const char *reason = dlerror();
    failureTexts.push_back("the kernels do not link: " +
                           std::string(reason ? reason : "no linker works"));
  }
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
