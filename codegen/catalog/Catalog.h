// Catalog.h - which formats, kernels and targets exist, and which schedule
// point a kernel is built with.
//
// The data is what `qwenc-kernel catalog` prints at build time; passes read it
// here and never see Halide. Units   sizes in elements unless the name says
// bytes Errors  functions that can fail return nothing and set `error` to text
// without a path (lower case, no period)
#pragma once

#include "codegen/catalog/KernelSymbol.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qwen {

/// One plane of a weight format: blocks [N/16][K/group], each blockBytes long.
struct CatalogPlane {
  std::string name;    // "q"
  int64_t group;       // elements of K in one block
  int64_t blockBytes;  // for 16 rows
  std::string element; // "u8", "i8", "f16", "u16" (bf16), "f32"
  int64_t startBytes;  // of the first block in the plane's stream; 0: that
                       // begins with it
  int64_t pitchBytes;  // from a block to the next, past those of other planes

  /// Bytes of the stream, of `rows` rows (rounded up to whole panels) of inner
  /// size `inner`.
  int64_t streamBytes(int64_t rows, int64_t inner) const;
};

struct CatalogFormat {
  std::string name;                     // "q5g32"
  std::vector<CatalogPlane> planes;     // in argument order
  int64_t scaleGroup;                   // 0: not quantised
  int64_t innerMultiple;                // K is a multiple of this
  std::vector<std::string> storedTypes; // lossless first
  std::vector<std::string> activations; // "f32", "q8g32"
  double lossOfLargest; // by rounding a float, as a part of its group's largest
  int64_t coarsePlanes; // first planes that are a coarse copy; 0: none
  std::string sameScoresAs; // a format whose scores it gives to the bit; empty:
                            // none but its own

  int64_t bytes(int64_t rows, int64_t inner) const;       // of all planes
  int64_t coarseBytes(int64_t rows, int64_t inner) const; // of the coarse copy
  bool takesStored(std::string_view storedType) const;
  bool takesActivation(std::string_view activation) const;
};

/// One option of a kernel, in the symbol's order. A flag has its own name as
/// only value and may be left out.
struct CatalogOption {
  std::string name; // "format", "act", "kv", "bias", "residual", "norm"
  std::vector<std::string> values; // "q8g32", ...; for a flag just its name
  bool flag;
};

/// One operand as written in ARCHITECTURE, "Kernels", before planes and
/// activations are expanded.
struct CatalogOperand {
  /// "act", "W", "Wgate", "bias", "x", "T", "position", "eps", "y"
  std::string name;
  /// "act", "quantized", "weight", "coarse" (a weight's coarse planes), "vec",
  /// "rows", "rope", "ids", "keys", "values", "scalar"
  std::string kind;
  /// Product of dims, "h*k": columns of a row, elements of a vec, rows of a
  /// weight; empty for ids, caches, scalars and a single column.
  std::string width;
  /// Flag that makes it exist; empty: always.
  std::string when;
  /// "input", "scalar", "output"
  std::string role;
  /// "f32", "i32", "kv" (the kv option's type); empty for act, weight and
  /// quantized, which expand to several arguments.
  std::string type;
};

struct CatalogKnob {
  std::string name;            // "tokens", "panels"
  std::vector<int64_t> values; // legal values, ascending
  int64_t one, many;           // wanted for t1 and for t0
  // The value divides dim / unit; empty: no such rule.
  std::string divides = {};
  int64_t unit = 1;
  bool onlyMany = false; // its least value in a t1 kernel
  // The product of such knobs counts vector accumulators of 16 lanes.
  bool registers = false;
  bool onlyOne = false; // its least value in a t0 kernel, or `few`
  // Wanted for t1 instead of `one` where every word of the text holds, the last
  // such: an option's value ("act=f32"), the target's vectors ("lanes=8"), the
  // fewest bits that a sum of two products may have ("sum_bits=16").
  std::vector<std::pair<std::string, int64_t>> oneWith = {};
  bool sumBits = false; // its values are bits of a sum of two products
  // It orders the loops over tokens and over dim / unit, which it does not
  // divide: its least value where that is one.
  bool ordersLoops = false;
  // Instead of a t0 kernel's own value where it does few tokens; 0: that value.
  int64_t few = 0;
};

struct CatalogKernel {
  std::string name;
  std::vector<CatalogOption> options;
  std::vector<std::string> dims; // letters, in the symbol's order
  std::vector<std::pair<std::string, int64_t>>
      multiples;                        // dim -> it is a multiple of this
  std::vector<CatalogOperand> operands; // inputs, scalars, outputs
  std::vector<CatalogKnob> knobs;
};

struct CatalogTarget {
  std::string name; // "avx512"
  std::vector<std::string>
      features;      // checked at start: "avx512f", "avx512vnni"
  int64_t lanes;     // f32 values in a vector
  int64_t registers; // vector registers
  int64_t l1Bytes, l2Bytes;
  bool quadDots; // one instruction adds four products of u8 and i8 to an i32
  std::string pointsOf = {}; // a target whose points hold where it has none
};

/// One argument of the compiled C function, in calling order.
struct KernelArgument {
  std::string name;    // "xq", "W.q", "bias", "T", "y"
  std::string operand; // "act", "W", "bias", "T", "y"
  std::string role;    // "input", "scalar", "output"
  std::string type;    // "f32", "i32", "i8", "u8", "f16", "bf16"
  int64_t plane;       // of a weight: index of the plane; otherwise -1
};

class KernelCatalog;

/// Schedule points as data: {"points": [{"kernel", "options", "dims", "point",
/// "measured"}]}. An entry matches a symbol that has all its options, each as
/// often, and equal dims; later entries win, knob by knob. "target" at the top,
/// if given, limits the file to it. "measured" is what `tune` writes
/// (codegen/catalog/Tuned.h): such an entry of another version of the kernel's
/// space is left out, and so is one of another machine when `machine` is given.
struct ScheduleFile {
  struct Entry {
    std::string kernel, target;
    std::vector<std::string> options;
    std::vector<std::pair<std::string, int64_t>> dims;
    std::vector<std::pair<std::string, int64_t>> point; // knob -> value
    bool measured = false; // matches equal options only
  };
  /// What the steps of one model are built with: {"models": [{"model",
  /// "chunk_bytes", "prefill_chunk", "attention_rows", "kv_split",
  /// "barrier_spin_us", "measured"}]}; absent ones and zeros are defaults. One
  /// measured on another machine is left out as an entry is.
  struct Model {
    std::string model; // modelKey of Tuned.h
    std::optional<int64_t> chunkBytes, prefillChunk, attentionRows, kvSplit,
        barrierSpinUs;
  };
  std::vector<Entry> entries;
  std::vector<Model> models;
  int64_t stale = 0, foreign = 0; // measured entries that were left out

  /// Checks every kernel, option, dim, knob and value against the catalog.
  static std::optional<ScheduleFile> parse(std::string_view json,
                                           const KernelCatalog &catalog,
                                           std::string &error,
                                           std::string_view machine = {});
  /// "12 entries of another version and 3 of another machine are ignored";
  /// empty when none is.
  std::string ignoredNote() const;
};

/// Of a tile: more than the largest register file holds only spill, and take
/// minutes to compile.
inline constexpr int64_t kMostAccumulators = 32;
/// Of a default point for one token.
inline constexpr int64_t kOneTokenAccumulators = 8;
/// Of a default point for many, where the tile's sums stay in memory.
inline constexpr int64_t kAccumulatorsInMemory = 8;

/// One choice of a model's steps: its name in a schedule file and its most.
struct StepChoice {
  const char *key;
  std::optional<int64_t> ScheduleFile::Model::*value;
  int64_t most;
};
inline constexpr StepChoice kStepChoices[] = {
    {"chunk_bytes", &ScheduleFile::Model::chunkBytes, 1 << 30},
    {"prefill_chunk", &ScheduleFile::Model::prefillChunk, 1 << 16},
    {"attention_rows", &ScheduleFile::Model::attentionRows, 1 << 16},
    {"kv_split", &ScheduleFile::Model::kvSplit, 2},
    {"barrier_spin_us", &ScheduleFile::Model::barrierSpinUs, 1'000'000}};

/// Up to so many rows a linear of many tokens is done by another kernel
/// (`KernelCatalog::fewTokens`).
inline constexpr int64_t kFewTokens = 16;

/// Values of `kv_split`: attention of one token is one call a key/value head,
/// or one a head and span of the context.
inline constexpr int64_t kSplitHeads = 1, kSplitSpans = 2;
inline constexpr int64_t kKvSplit = kSplitSpans; // where it is not chosen

class KernelCatalog {
public:
  std::string version; // changes whenever compiled kernels may change; part of
                       // every cache key
  std::vector<CatalogFormat> formats;
  std::vector<CatalogKernel> kernels;
  std::vector<CatalogTarget> targets;
  ScheduleFile schedules; // codegen/schedules/*.json

  /// The catalog of this build.
  static const KernelCatalog &builtin();
  static std::optional<KernelCatalog> parse(std::string_view json,
                                            std::string &error);

  const CatalogFormat *format(std::string_view name) const; // null when unknown
  const CatalogKernel *kernel(std::string_view name) const;
  const CatalogTarget *target(std::string_view name) const;

  /// The C function's arguments for these option values ("q8g32", "q8g32",
  /// "bias"), buffers and scalars in order.
  std::optional<std::vector<KernelArgument>>
  arguments(std::string_view kernel, const std::vector<std::string> &options,
            std::string &error) const;

  /// Checks kernel, options, dims and target and picks the point: the built-in
  /// schedules, then `overrides`, else the default computed from the target's
  /// registers. A value that the dims forbid falls to the next smaller legal
  /// one.
  std::optional<KernelSymbol>
  chooseSymbol(std::string_view kernel, const std::vector<std::string> &options,
               const std::vector<std::pair<std::string, int64_t>> &dims,
               std::string_view target, const ScheduleFile *overrides,
               std::string &error) const;

  /// What does up to kFewTokens rows in place of a t0 linear: the kernel with
  /// the knobs' `few`, whose weights are decoded for each tile of tokens, for
  /// unpacking them once for all does not pay then. Nothing where a kernel has
  /// no such loops or unpacks nothing.
  std::optional<KernelSymbol> fewTokens(const KernelSymbol &symbol) const;

  /// Changes whenever the kernel's choices or the target's sizes do: figures
  /// measured under another one say nothing about today's points.
  std::string spaceVersion(std::string_view kernel,
                           std::string_view target) const;

  /// Nothing when every part of the symbol, its point included, is legal; else
  /// what is wrong.
  std::optional<std::string> check(const KernelSymbol &symbol) const;

  /// Best target of this machine by its CPU features; null when not even the
  /// baseline fits.
  const CatalogTarget *host() const;
};

/// Rows of one chunk: divides roundUp(rows, 16) and is a multiple of 16 and of
/// `multiple` (a head width, or 1); a chunk reads about half to twice
/// `wantedBytes` of weights and there are at least eight where the size allows.
/// `matrices` weights of equal shape are read together (2 for gate and up).
inline constexpr int64_t kChunkBytes = 128 << 10;
int64_t chunkRows(const CatalogFormat &format, int64_t rows, int64_t inner,
                  int64_t multiple, int64_t matrices,
                  int64_t wantedBytes = kChunkBytes);

/// Name of the CPU this runs on, "AMD EPYC 25.17" (family and model); never
/// empty.
std::string cpuName();

/// True when the CPU this runs on has the feature ("avx2", "fma", "f16c",
/// "avx512f", "avx512vnni", ...).
bool cpuHasFeature(std::string_view feature);

} // namespace qwen
