// Builtin.cpp - the catalog that this build's qwenc-kernel printed.
#include "codegen/catalog/Catalog.h"

#include <cstdio>
#include <cstdlib>

namespace qwen {
namespace {

constexpr char kCatalogText[] = {
#include "codegen/catalog/Catalog.inc"
};

} // namespace

const KernelCatalog &KernelCatalog::builtin() {
  static const KernelCatalog catalog = [] {
    std::string error;
    std::optional<KernelCatalog> parsed =
        parse({kCatalogText, sizeof(kCatalogText)}, error);
    if (!parsed) {
      std::fprintf(stderr, "internal error: the catalog of this build: %s\n",
                   error.c_str());
      std::exit(70);
    }
    return *parsed;
  }();
  return catalog;
}

} // namespace qwen
