// WeightLayout.cpp - planes of matrices from the catalog; vectors and RoPE
// tables are one plane of f32.
#include "passes/transforms/WeightLayout.h"

#include "passes/transforms/KernelCall.h"

namespace qwen {
namespace {

constexpr int64_t kPlaneAlignment = 64;

} // namespace

WeightLayout weightLayout(ir::WeightType type) {
  if (type.isVector())
    return {{{"v", 0, nullptr}}, rowStride(type.getDim(0)) * 4};
  if (type.isRopeTable())
    return {{{"t", 0, nullptr}},
            type.getDim(0) * rowStride(type.getDim(1)) * 4};
  WeightLayout layout{{}, 0};
  for (const CatalogPlane &plane :
       KernelCatalog::builtin().format(type.getFormat().str())->planes) {
    layout.bytes = roundUp(layout.bytes, kPlaneAlignment);
    layout.planes.push_back({plane.name, layout.bytes, &plane});
    layout.bytes += plane.bytes(type.getDim(0), type.getDim(1));
  }
  return layout;
}

} // namespace qwen
