// Kernel.h - what a kernel file provides, and the context in which its pipeline
// is built.
//
// Shapes    activations [T, X] with row stride ld(X) = roundUp(X, 16); a
// linear's values are (lane, panel, token) Numerics  every float operation is
// strict; `fma` is the only fused one
#pragma once

#include "Halide.h"
#include "codegen/formats/Format.h"
#include "codegen/targets/Target.h"
#include "qwen/cache_layout.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace qwen::codegen {

constexpr int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
/// Row stride of X elements.
constexpr int64_t rowStride(int64_t elements) { return roundUp(elements, 16); }

/// Elements between the rows of an activation's half sums: as many bytes as
/// between those of its scales.
constexpr int64_t halfSumStride(int64_t innerSize) {
  return 2 * rowStride(innerSize / 32);
}

/// Raised (as Halide::CompileError is) when a symbol names no legal kernel.
struct KernelError {
  std::string text;
};

struct Kernel;

/// Value of an option that is no flag; flags come last in every kernel.
const std::string &optionOf(const KernelSymbol &symbol, const Kernel &kernel,
                            std::string_view name);

/// Activations of a linear, one of the two forms.
struct Activations {
  Halide::ImageParam values; // f32 x, or i8 xq
  // q8g32 only, [T, K/32]: f32 scales, and the two i16 sums of a block's halves
  // as one word, the first in its low half, which vectors take apart without
  // moving lanes.
  Halide::ImageParam scale, halfSums;
  bool quantised;

  /// The i32 sum of the values of a block of 32.
  Halide::Expr sum(const Halide::Expr &block, const Halide::Expr &token) const {
    return firstHalf(block, token) + secondHalf(block, token);
  }
  /// The i32 sums of a block's first and last 16 values.
  Halide::Expr firstHalf(const Halide::Expr &block,
                         const Halide::Expr &token) const {
    return Halide::cast<int32_t>(Halide::cast<int16_t>(halfSums(block, token)));
  }
  Halide::Expr secondHalf(const Halide::Expr &block,
                          const Halide::Expr &token) const {
    return halfSums(block, token) >> 16;
  }
};

/// Extent and stride (in elements) of each dimension of a buffer, innermost
/// first.
using Extents = std::vector<std::pair<Halide::Expr, int64_t>>;

/// Everything a kernel's `build` needs: the symbol's parts, the arguments it
/// declares, in order, and outputs.
class BuildContext {
public:
  BuildContext(const KernelSymbol &symbol, const Kernel &kernel,
               const CpuTarget &target);

  int dim(std::string_view letter) const;
  int knob(std::string_view name) const;
  bool hasKnob(std::string_view name) const;
  bool has(std::string_view flag) const { return symbol.has(flag); }
  /// Value of an option that is no flag: format and cache type may have one
  /// name, "f16".
  const std::string &option(std::string_view name) const {
    return optionOf(symbol, kernel, name);
  }
  bool oneToken() const { return dim("t") == 1; }
  const Format &format() const { return *weightFormat; }
  /// From here on `format` and `weight` mean the format's coarse copy.
  void useCoarse() { weightFormat = weightFormat->coarse(); }
  Halide::Type cacheType() const;     // of the kv option, if it is a float
  const CacheCode *cacheCode() const; // null if it is

  /// T: the constant 1, or the scalar argument.
  Halide::Expr tokens() const;
  Halide::Expr fma(Halide::Expr a, Halide::Expr b, Halide::Expr sum) const;

  /// Rows [T, H·C] as (c, head, t), of `heads` heads of H = `rowHeads`.
  Extents headRows(int width, int heads, int64_t rowHeads) const;
  /// The same as (c of a half, half, head, t).
  Extents halfHeadRows(int width, int heads, int64_t rowHeads) const;
  /// Rows [T, H·P] of the parts of heads as (lane of a vector of 16, vector,
  /// head, t).
  Extents partRows(int part, int heads, int64_t rowHeads) const;

  // Inputs, in the argument order.
  Halide::ImageParam rows(const std::string &name, int64_t width,
                          Halide::Type type = Halide::Float(32));
  Halide::ImageParam ids(const std::string &name);
  Halide::ImageParam vec(const std::string &name, int64_t width);
  Activations activations(int64_t innerSize);
  PlaneParams weight(const std::string &name, int64_t innerSize,
                     int64_t panels);
  Halide::ImageParam buffer(const std::string &name, Halide::Type type,
                            const Extents &extentsAndStrides);
  void addTokens(); // the scalar T
  Halide::Param<int32_t> scalarInt(const std::string &name);
  Halide::Param<float> scalarFloat(const std::string &name);

  /// Declares an output.
  void output(Halide::Func func, const Extents &extentsAndStrides);

  const KernelSymbol &symbol;
  const Kernel &kernel;
  const CpuTarget &target;
  std::vector<Halide::Argument> arguments;
  std::vector<Halide::Func> outputs;

private:
  const Format *weightFormat = nullptr;
  Halide::Param<int32_t> tokenParam{"T"};
};

/// One shape to test and to measure; `tokens` and `position` for a t0 kernel.
struct Case {
  const char *name;
  std::vector<std::pair<std::string, int64_t>> dims; // without t
  int64_t position = 0;
};

class Trial;

struct Kernel {
  CatalogKernel interface;
  /// Declares arguments and outputs and schedules them at the symbol's point.
  void (*build)(BuildContext &context);
  /// Plain loops in f64 over decoded inputs: the judge of every point.
  void (*reference)(Trial &trial);
  std::vector<Case> cases;
  /// Multiplications with a weight or cache element per call, for the bench;
  /// may be null.
  int64_t (*products)(const Trial &trial) = nullptr;
};

/// All kernels, one for each file of this folder that starts in lower case.
const std::vector<Kernel> &kernels();
const Kernel *findKernel(std::string_view name);

/// Catalog of everything compiled into this program; `schedules` is left empty.
KernelCatalog makeCatalog();

/// Builds the pipeline of a symbol; throws KernelError or Halide::Error.
Halide::Module buildModule(const KernelSymbol &symbol);

/// Builds it and writes files: objects and assembly are the target's own,
/// where Halide's would be another CPU's. Throws as buildModule does.
void writeKernel(const KernelSymbol &symbol,
                 const std::map<Halide::OutputFileType, std::string> &files);

// Operands and options as kernel files declare them.
CatalogOption formatOption();
CatalogOption screenFormatOption(); // formats with a coarse copy
CatalogOption actOption();
CatalogOption quantisedActOption(); // q8g32 only
CatalogOption kvOption();           // of a type that every value has for itself
CatalogOption anyKvOption();        // or of rows quantised as a whole
CatalogOption flagOption(const char *name);
CatalogOperand operand(const char *name, const char *kind, const char *width,
                       const char *when = "");
CatalogOperand scalar(const char *name, const char *type,
                      const char *when = "");
CatalogOperand output(const char *name, const char *kind, const char *width);
/// The knobs of every kernel with a linear core; a tile of panels divides dim
/// / 16.
std::vector<CatalogKnob> linearKnobs(const char *panelsDivide);
/// The same, and the order of the loops over tokens and panels or heads, for
/// kernels that write rows.
std::vector<CatalogKnob> outputTileKnobs(const char *panelsDivide);
/// That of the loop over K alone, for kernels whose tile is fixed.
CatalogKnob unrollKnob();

} // namespace qwen::codegen
