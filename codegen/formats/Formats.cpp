// Formats.cpp - the table of all formats, one for each file of this folder that
// starts in lower case.
#include "codegen/formats/Format.h"

namespace qwen::codegen {

namespace format {
#define FORMAT(name) Format name();
#include "Formats.inc"
#undef FORMAT
} // namespace format

const std::vector<Format> &formats() {
  static const std::vector<Format> table = {
#define FORMAT(name) format::name(),
#include "Formats.inc"
#undef FORMAT
  };
  return table;
}

const Format *findFormat(std::string_view name) {
  for (const Format &format : formats())
    if (name == format.name)
      return &format;
  return nullptr;
}

int64_t planeBytes(const Plane &plane, int64_t outerSize, int64_t innerSize) {
  const int64_t panels = (outerSize + kPanelRows - 1) / kPanelRows;
  return panels * (innerSize / plane.group) * plane.blockBytes;
}

PlaneParams planeParams(const Format &format, const std::string &prefix,
                        int64_t innerSize, int64_t panels) {
  PlaneParams params;
  for (const Plane &plane : format.planes) {
    const int elements = int(plane.blockBytes / plane.element.bytes());
    const int blocks = int(innerSize / plane.group);
    Halide::ImageParam param(plane.element, 3, prefix + "_" + plane.name);
    param.dim(0).set_bounds(0, elements).set_stride(1);
    param.dim(1).set_bounds(0, blocks).set_stride(elements);
    param.dim(2).set_bounds(0, int(panels)).set_stride(elements * blocks);
    params.push_back(param);
  }
  return params;
}

} // namespace qwen::codegen
