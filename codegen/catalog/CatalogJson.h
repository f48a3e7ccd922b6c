// CatalogJson.h - prints a catalog as the JSON that KernelCatalog::parse reads.
#pragma once

#include "codegen/catalog/Catalog.h"

namespace qwen {

std::string printCatalog(const KernelCatalog &catalog);

} // namespace qwen
