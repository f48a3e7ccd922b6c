// Blocks.h - what the format files share: stored block sizes, and the order of
// quants in a block.
//
// Shapes  a block of a plane holds 16 rows; ARCHITECTURE.md, "Weight formats"
// Source  ggml-common.h (block_q8_0 ... block_q6_K)
#pragma once

#include "codegen/formats/Format.h"
#include "codegen/formats/Half.h"

namespace qwen::codegen {

/// How one row of a stored type lies in its file.
struct StoredType {
  std::string_view name;
  int64_t blockElements;
  int64_t blockBytes;
};

inline constexpr StoredType kStoredTypes[] = {
    {"f32", 1, 4},      {"f16", 1, 2},      {"bf16", 1, 2},
    {"q8_0", 32, 34},   {"q4_0", 32, 18},   {"q5_0", 32, 22},
    {"q4_k", 256, 144}, {"q5_k", 256, 176}, {"q6_k", 256, 210},
};

constexpr const StoredType *findStoredType(std::string_view name) {
  for (const StoredType &type : kStoredTypes)
    if (type.name == name)
      return &type;
  return nullptr;
}

/// `count` stored floats as f32; type is "f32", "f16" or "bf16".
void loadFloats(std::string_view type, const uint8_t *stored, int64_t count,
                float *values);

/// Index of the first NaN or infinity of `count` values, or -1.
int64_t firstNonFinite(const float *values, int64_t count);

/// The block sizes that the formats share, for 16 rows.
inline constexpr int64_t kRowOfF16 = 2 * kPanelRows;
inline constexpr int64_t kNibbleBlock = 16 * kPanelRows; // 32 k: [4][16 n][4]
inline constexpr int64_t kBitBlock = 4 * kPanelRows;     // 32 k: [16 n][4]
inline constexpr int64_t kBitPairBlock = 8 * kPanelRows; // 32 k: [2][16 n][4]

/// Copies `quads` runs of 4 bytes of row n into a block [quads][16 n][4].
inline void storeQuads(uint8_t *block, int64_t n, const uint8_t *bytes,
                       int64_t quads) {
  for (int64_t quad = 0; quad < quads; ++quad)
    std::memcpy(block + 4 * (kPanelRows * quad + n), bytes + 4 * quad, 4);
}

inline float loadF16(const uint8_t *block, int64_t n) {
  return f16ToF32(load<uint16_t>(block + 2 * n));
}

/// Element k (0..31) of row n of a nibble, bit or bit-pair block.
int nibbleAt(const uint8_t *block, int64_t n, int64_t k);
int bitAt(const uint8_t *block, int64_t n, int64_t k);
int bitPairAt(const uint8_t *block, int64_t n, int64_t k);

/// The same as expressions, for k = 4 * quad + j. With `quad` a constant after
/// unrolling and n, j vectorised, each is a load of whole vectors, a shift and
/// a mask. They are Int(8), as the planes are: of a UInt(8) nibble Halide finds
/// that it fits i8, and then picks i8 x i8, which has no dot instruction;
/// `asQuant` hides the range.
Halide::Expr nibble(const Halide::ImageParam &plane, Halide::Expr n,
                    Halide::Expr quad, Halide::Expr j, Halide::Expr block,
                    Halide::Expr panel);
Halide::Expr bit(const Halide::ImageParam &plane, Halide::Expr n,
                 Halide::Expr quad, Halide::Expr j, Halide::Expr block,
                 Halide::Expr panel);
Halide::Expr bitPair(const Halide::ImageParam &plane, Halide::Expr n,
                     Halide::Expr quad, Halide::Expr j, Halide::Expr block,
                     Halide::Expr panel);
inline Halide::Expr asQuant(Halide::Expr quant) {
  return Halide::reinterpret(Halide::UInt(8), std::move(quant));
}

/// f32 of an f16 plane whose blocks are [16 n].
inline Halide::Expr rowScale(const Halide::ImageParam &plane, Halide::Expr n,
                             Halide::Expr block, Halide::Expr panel) {
  return Halide::cast<float>(plane(n, block, panel));
}

/// Stores a value of an f16 plane; false when it is a NaN or an infinity.
inline bool storeF16(const PackPanel &panel, size_t plane, int64_t n,
                     int64_t block, uint16_t half) {
  store(panel.planes[plane].at(block) + 2 * n, half);
  return isFiniteF16(half);
}

/// Zeroes all of a panel's blocks.
void clearPlanes(const PackPanel &panel, const std::vector<Plane> &planes);

/// Runs packRow(row, n), which returns -1 or the first k it cannot hold, for
/// each row that is no padding; bytes of padding rows become zero. `planes`
/// gives the format's planes.
template <typename PackRow>
int64_t packRows(const PackPanel &panel, std::vector<Plane> (*planes)(),
                 PackRow packRow) {
  for (const uint8_t *row : panel.rows)
    if (!row) {
      clearPlanes(panel, planes());
      break;
    }
  for (int64_t n = 0; n < kPanelRows; ++n)
    if (panel.rows[n])
      if (const int64_t k = packRow(panel.rows[n], n); k >= 0)
        return n * panel.innerSize + k;
  return -1;
}

/// Packs a panel by blocks of the stored type `type`, 32 elements with the f16
/// scale first: stored ones as they are, floats as `encode` makes them.
/// place(block, n, index) puts block `index` of row n into the planes.
template <typename Place>
int64_t packBlocks(const PackPanel &panel, std::vector<Plane> (*planes)(),
                   std::string_view type,
                   void (*encode)(const float *values, uint8_t *block),
                   Place place) {
  constexpr int64_t kElements = 32, kMostBytes = 34;
  const StoredType &stored = *findStoredType(panel.storedType);
  const int64_t bytes = stored.blockBytes * (kElements / stored.blockElements);
  return packRows(panel, planes, [&](const uint8_t *row, int64_t n) -> int64_t {
    for (int64_t index = 0; index < panel.innerSize / kElements; ++index) {
      const uint8_t *block = row + bytes * index;
      uint8_t encoded[kMostBytes];
      if (stored.name != type) {
        float values[kElements];
        loadFloats(stored.name, block, kElements, values);
        if (const int64_t i = firstNonFinite(values, kElements); i >= 0)
          return kElements * index + i;
        encode(values, encoded);
        block = encoded;
      }
      if (!isFiniteF16(load<uint16_t>(block)))
        return kElements * index;
      place(block, n, index);
    }
    return -1;
  });
}

} // namespace qwen::codegen
