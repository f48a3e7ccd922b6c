// WeightLayout.cpp - planes of matrices from the catalog; vectors and RoPE
// tables are one plane of f32.
#include "passes/transforms/WeightLayout.h"

#include "passes/transforms/KernelCall.h"

namespace qwen {
namespace {

constexpr int64_t kStreamAlignment = 64;

} // namespace

WeightLayout weightLayout(ir::WeightType type) {
  if (type.isVector())
    return {{{"v", 0, nullptr}}, rowStride(type.getDim(0)) * 4};
  if (type.isRopeTable())
    return {{{"t", 0, nullptr}},
            type.getDim(0) * rowStride(type.getDim(1)) * 4};
  WeightLayout layout{{}, 0};
  int64_t stream = 0;
  for (const CatalogPlane &plane :
       KernelCatalog::builtin().format(type.getFormat().str())->planes) {
    if (plane.startBytes == 0) {
      stream = roundUp(layout.bytes, kStreamAlignment);
      layout.bytes = stream + plane.streamBytes(type.getDim(0), type.getDim(1));
    }
    layout.planes.push_back({plane.name, stream + plane.startBytes, &plane});
  }
  return layout;
}

} // namespace qwen
