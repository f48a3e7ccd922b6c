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

BlockPlace blockPlace(const Format &format, size_t plane) {
  const std::vector<Plane> &planes = format.planes;
  size_t first = plane;
  while (planes[first].joins)
    --first;
  BlockPlace place{0, 0};
  for (size_t i = first; i < planes.size() && (i == first || planes[i].joins);
       ++i) {
    if (i == plane)
      place.startBytes = place.pitchBytes;
    place.pitchBytes += planes[i].blockBytes;
  }
  return place;
}

int64_t streamBytes(const Format &format, size_t plane, int64_t outerSize,
                    int64_t innerSize) {
  const int64_t panels = (outerSize + kPanelRows - 1) / kPanelRows;
  return panels * (innerSize / format.planes[plane].group) *
         blockPlace(format, plane).pitchBytes;
}

int64_t planeStart(const Format &format, size_t plane, int64_t outerSize,
                   int64_t innerSize) {
  int64_t start = blockPlace(format, plane).startBytes;
  for (size_t i = 0; i < plane; ++i)
    if (!format.planes[i + 1].joins)
      start += (streamBytes(format, i, outerSize, innerSize) + 63) / 64 * 64;
  return start;
}

int64_t weightBytes(const Format &format, int64_t outerSize,
                    int64_t innerSize) {
  const size_t last = format.planes.size() - 1;
  return planeStart(format, last, outerSize, innerSize) -
         blockPlace(format, last).startBytes +
         streamBytes(format, last, outerSize, innerSize);
}

PlaneParams planeParams(const Format &format, const std::string &prefix,
                        int64_t innerSize, int64_t panels) {
  PlaneParams params;
  for (size_t i = 0; i < format.planes.size(); ++i) {
    const Plane &plane = format.planes[i];
    const int size = plane.element.bytes();
    const int pitch = int(blockPlace(format, i).pitchBytes) / size;
    const int blocks = int(innerSize / plane.group);
    Halide::ImageParam param(plane.element, 3, prefix + "_" + plane.name);
    param.dim(0).set_bounds(0, int(plane.blockBytes) / size).set_stride(1);
    param.dim(1).set_bounds(0, blocks).set_stride(pitch);
    param.dim(2).set_bounds(0, int(panels)).set_stride(pitch * blocks);
    params.push_back(param);
  }
  return params;
}

} // namespace qwen::codegen
