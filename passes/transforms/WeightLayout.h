// WeightLayout.h - bytes of a packed weight and where its planes start.
//
// Source  ARCHITECTURE.md, "Weight formats"
#pragma once

#include "codegen/catalog/Catalog.h"
#include "passes/ir/QwenOps.h"

#include <string>
#include <vector>

namespace qwen {

/// The RoPE table's name among the packed weights: no tensor of a checkpoint is
/// called so.
inline constexpr llvm::StringLiteral kRopeTableName = "rope_table";

struct PlanePlace {
  std::string name;
  int64_t offsetBytes;       // from the weight's first byte to its first block
  const CatalogPlane *plane; // null for a `vec` and a RoPE table
};

struct WeightLayout {
  std::vector<PlanePlace> planes;
  int64_t bytes;
};

/// Layout of a packed weight whose format the catalog knows.
WeightLayout weightLayout(ir::WeightType type);

} // namespace qwen
