// Format.h - what a weight format is: block layout, packing, plain decoding,
// and the Halide expressions kernels use.
//
// Shapes  a weight [N, K] is cut into panels of 16 rows and, along K, into
// groups; ARCHITECTURE.md, "Weight formats"
#pragma once

#include "Halide.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qwen::codegen {

inline constexpr int64_t kPanelRows = 16;

/// One plane of a packed weight: blocks [N/16][K/group], each blockBytes long.
struct Plane {
  const char *name;     // "q"
  int64_t group;        // elements of K that one block covers
  int64_t blockBytes;   // for 16 rows
  Halide::Type element; // how a kernel declares the plane's buffer
  /// Whether each of its blocks lies behind one of the plane before, of the
  /// same group: a core then reads both as one stream, which it follows.
  bool joins = false;
};

/// A plane's blocks of one panel.
template <typename Byte> struct PanelBlocks {
  Byte *first;
  int64_t pitch; // bytes from a block to the next one along K
  Byte *at(int64_t index) const { return first + pitch * index; }
};

/// The blocks of each plane of a packed panel, in the format's order.
using PackedPanel = std::vector<PanelBlocks<const uint8_t>>;

/// What `pack` gets: 16 rows as stored, and where each plane's blocks of this
/// panel go.
struct PackPanel {
  std::string_view storedType;     // "bf16", "q5_0"
  const uint8_t *rows[kPanelRows]; // K stored elements each; null is a padding
                                   // row (all zero)
  int64_t innerSize;               // K
  std::vector<PanelBlocks<uint8_t>> planes; // in the format's plane order
};

/// A weight's planes inside a kernel: ImageParams of the plane's element type.
/// Dimensions, innermost first: the block's own elements (one dimension), block
/// along K, panel; made by planeParams.
using PlaneParams = std::vector<Halide::ImageParam>;

struct Format {
  const char *name; // "q5g32"
  std::vector<Plane> planes;
  int64_t scaleGroup;    // elements of K that share a scale; 0: not quantised
  int64_t innerMultiple; // K must be a multiple of this
  std::vector<const char *> storedTypes; // accepted by pack, lossless first
  std::vector<const char *> activations; // "f32", "q8g32"
  /// What packing floats may lose of a value, as a part of the largest value of
  /// its group; beside it 2^-24 for each unit of the largest quant, where the
  /// scale is a small f16. 0: floats are kept or not taken.
  double lossOfLargest;
  int32_t zeroPoint; // q8g32 activations: value = scale * (quant - zeroPoint) -
                     // minimum
  int64_t largestQuant = 0; // of the offset quants; 0 when scaleGroup is 0

  /// Packs one panel. Returns -1, or n * K + k of the first element that the
  /// format cannot hold: a NaN or an infinity in the source, or a group whose
  /// scale overflows.
  int64_t (*pack)(const PackPanel &panel);
  /// Plain decode of row n (0..15) of a packed panel, element k: the judge in
  /// tests, equal to the stored value.
  float (*value)(const PackedPanel &planes, int64_t n, int64_t k);

  /// f32 value of (n, k): n the row inside the panel, exactly `value`.
  Halide::Expr (*decode)(const PlaneParams &planes, Halide::Expr n,
                         Halide::Expr k, Halide::Expr panel);
  /// For q8g32 activations; null when scaleGroup is 0. k = 32 * block + 4 *
  /// quad + j, n inside the panel. The offset quantised value as UInt(8),
  /// written so that u8 x i8 sums of four become one dot instruction.
  Halide::Expr (*quant)(const PlaneParams &planes, Halide::Expr n,
                        Halide::Expr quad, Halide::Expr j, Halide::Expr block,
                        Halide::Expr panel);
  /// f32 scale of (n, group), group counted in scaleGroup elements; of at most
  /// 22 significant bits, so that 1.5 times it is exact.
  Halide::Expr (*scale)(const PlaneParams &planes, Halide::Expr n,
                        Halide::Expr group, Halide::Expr panel);
  /// f32 minimum that is subtracted, of (n, group); null when the format has
  /// none.
  Halide::Expr (*minimum)(const PlaneParams &planes, Halide::Expr n,
                          Halide::Expr group, Halide::Expr panel);

  /// A format whose scores kernels compute from this one too, to the bit;
  /// empty: none.
  const char *sameScoresAs = "";

  // A format that can be screened: its first planes alone are a coarse copy of
  // every value, and another plane bounds what that copy costs.

  /// The format of the coarse copy, whose planes are the first of this one's;
  /// null when there is none.
  const Format *(*coarse)() = nullptr;
  /// Elements of K that one bound covers; 0 without a coarse copy.
  int64_t boundGroup = 0;
  /// f32 bound of (n, block), block counted in boundGroup elements: for any
  /// q8g32 activations x, the scores that kernels compute from this format and
  /// from the coarse one differ by at most the sum over the blocks of bound *
  /// ‖x of the block‖.
  Halide::Expr (*bound)(const PlaneParams &planes, Halide::Expr n,
                        Halide::Expr block, Halide::Expr panel) = nullptr;
  /// The same of a packed panel.
  float (*boundValue)(const PackedPanel &planes, int64_t n,
                      int64_t block) = nullptr;
};

/// All formats, one for each file of this folder (generated list).
const std::vector<Format> &formats();
const Format *findFormat(std::string_view name);

/// Where a plane's blocks lie in its stream: itself, the planes that join it,
/// or that it joins.
struct BlockPlace {
  int64_t startBytes; // of the first one
  int64_t pitchBytes; // from one to the next
};
BlockPlace blockPlace(const Format &format, size_t plane);

/// Bytes of the stream that a plane of a weight [N, K] is in, padding rows
/// included; K is a multiple of the format's innerMultiple.
int64_t streamBytes(const Format &format, size_t plane, int64_t outerSize,
                    int64_t innerSize);

/// Bytes of a whole weight [N, K], whose streams lie one after the other, each
/// at the next multiple of 64; and from there to a plane's first block.
int64_t weightBytes(const Format &format, int64_t outerSize, int64_t innerSize);
int64_t planeStart(const Format &format, size_t plane, int64_t outerSize,
                   int64_t innerSize);

/// The blocks of panel `panel` of such a weight.
template <typename Byte>
std::vector<PanelBlocks<Byte>> panelBlocks(const Format &format, Byte *weight,
                                           int64_t outerSize, int64_t innerSize,
                                           int64_t panel) {
  std::vector<PanelBlocks<Byte>> blocks;
  for (size_t i = 0; i < format.planes.size(); ++i)
    blocks.push_back({weight + planeStart(format, i, outerSize, innerSize) +
                          streamBytes(format, i, panel * kPanelRows, innerSize),
                      blockPlace(format, i).pitchBytes});
  return blocks;
}

/// ImageParams "<prefix>_<plane>" for a weight with `panels` panels of K inner
/// elements, all minima, extents and strides constant, so that a kernel reads
/// nothing of the descriptor but `host`.
PlaneParams planeParams(const Format &format, const std::string &prefix,
                        int64_t innerSize, int64_t panels);

} // namespace qwen::codegen
