// Registry.cpp - the table of all kernels, one for each file of this folder
// that starts in lower case, and the catalog.
#include "codegen/kernels/Kernel.h"

namespace qwen::codegen {

namespace kernel {
#define KERNEL(name) Kernel name();
#include "Kernels.inc"
#undef KERNEL
} // namespace kernel

const std::vector<Kernel> &kernels() {
  static const std::vector<Kernel> table = {
#define KERNEL(name) kernel::name(),
#include "Kernels.inc"
#undef KERNEL
  };
  return table;
}

const Kernel *findKernel(std::string_view name) {
  for (const Kernel &kernel : kernels())
    if (name == kernel.interface.name)
      return &kernel;
  return nullptr;
}

namespace {

std::string elementName(Halide::Type type) {
  if (type.is_bfloat())
    return "bf16";
  if (type.is_float())
    return "f" + std::to_string(type.bits());
  return (type.is_uint() ? "u" : "i") + std::to_string(type.bits());
}

} // namespace

KernelCatalog makeCatalog() {
  KernelCatalog catalog;
  for (const Format &format : formats()) {
    CatalogFormat row{
        .name = format.name,
        .planes = {},
        .scaleGroup = format.scaleGroup,
        .innerMultiple = format.innerMultiple,
        .storedTypes = {},
        .activations = {},
        .lossOfLargest = format.lossOfLargest,
        .coarsePlanes =
            format.coarse ? int64_t(format.coarse()->planes.size()) : 0,
        .sameScoresAs = format.sameScoresAs};
    for (size_t i = 0; i < format.planes.size(); ++i) {
      const Plane &plane = format.planes[i];
      const BlockPlace place = blockPlace(format, i);
      row.planes.push_back({plane.name, plane.group, plane.blockBytes,
                            elementName(plane.element), place.startBytes,
                            place.pitchBytes});
    }
    row.storedTypes.assign(format.storedTypes.begin(),
                           format.storedTypes.end());
    row.activations.assign(format.activations.begin(),
                           format.activations.end());
    catalog.formats.push_back(row);
  }
  for (const Kernel &kernel : kernels())
    catalog.kernels.push_back(kernel.interface);
  for (const CpuTarget &target : targets())
    catalog.targets.push_back(target.data);
  return catalog;
}

CatalogOption formatOption() {
  CatalogOption option{"format", {}, false};
  for (const Format &format : formats())
    option.values.push_back(format.name);
  return option;
}
CatalogOption screenFormatOption() {
  CatalogOption option{"format", {}, false};
  for (const Format &format : formats())
    if (format.coarse)
      option.values.push_back(format.name);
  return option;
}
CatalogOption actOption() { return {"act", {"f32", "q8g32"}, false}; }
CatalogOption quantisedActOption() { return {"act", {"q8g32"}, false}; }
CatalogOption kvOption() { return {"kv", {"f32", "f16"}, false}; }
CatalogOption anyKvOption() {
  return {"kv", {"f32", "f16", "int16", "int8"}, false};
}
CatalogOption flagOption(const char *name) { return {name, {name}, true}; }

CatalogOperand operand(const char *name, const char *kind, const char *width,
                       const char *when) {
  const std::string_view text = kind;
  const char *type = text == "act" || text == "quantized" || text == "weight" ||
                             text == "coarse"
                         ? ""
                     : text == "ids"                      ? "i32"
                     : text == "keys" || text == "values" ? "kv"
                                                          : "f32";
  return {name, kind, width, when, "input", type};
}
CatalogOperand scalar(const char *name, const char *type, const char *when) {
  return {name, "scalar", "", when, "scalar", type};
}
CatalogOperand output(const char *name, const char *kind, const char *width) {
  CatalogOperand result = operand(name, kind, width);
  result.role = "output";
  return result;
}

CatalogKnob unrollKnob() {
  return {.name = "unroll", .values = {1, 2, 4}, .one = 1, .many = 1};
}

std::vector<CatalogKnob> linearKnobs(const char *panelsDivide) {
  static constexpr const char *kShortSums = "sum_bits=16 lanes=8",
                              *kNarrowSums = "sum_bits=16 lanes=4";
  // One token: a single panel reads memory in one stream, and a group's integer
  // dot is long enough to hide its sum's latency; a float product is not, and
  // wants four sums at work. Of two groups an iteration LLVM mixes the loads,
  // and a core loses the stream (tests/bench/notes/streams.md).
  return {{.name = "tokens",
           .values = {1, 2, 4, 8},
           .one = 1,
           .many = 8,
           .onlyMany = true,
           .registers = true},
          {.name = "panels",
           .values = {1, 2, 4, 8},
           .one = 1,
           .many = 2,
           .divides = panelsDivide,
           .unit = kPanelRows,
           .registers = true,
           .oneWith = {{"act=f32", 4}}},
          {.name = "unroll",
           .values = {1, 2, 4},
           .one = 1,
           .many = 1,
           .oneWith = {{kNarrowSums, 2}}},
          // Blocks of 32 along K that are asked for ahead, for a core follows
          // a stream to the end of its page; many tokens read their weights
          // from a cache, but for few, which wait longer at each block. With
          // vectors of 8 lanes and no dot instruction it only costs.
          {.name = "prefetch",
           .values = {0, 4, 8, 16},
           .one = 4,
           .many = 0,
           .onlyOne = true,
           .oneWith = {{"act=f32", 0}, {kShortSums, 0}, {kNarrowSums, 8}}},
          // Integer dots where no instruction adds four products: sums of two
          // in 16 bits take half the multiplications, of quants of 8 bits as
          // many.
          {.name = "sum_bits",
           .values = {16, 32},
           .one = 16,
           .many = 16,
           .sumBits = true}};
}

std::vector<CatalogKnob> outputTileKnobs(const char *panelsDivide) {
  std::vector<CatalogKnob> knobs = linearKnobs(panelsDivide);
  for (CatalogKnob &knob : knobs)
    knob.few = knob.name == "tokens"                            ? 4
               : knob.name == "panels" || knob.name == "unroll" ? 1
               : knob.name == "prefetch"                        ? 16
                                                                : 0;
  knobs.push_back({.name = "tokens_outer",
                   .values = {0, 1},
                   .one = 0,
                   .many = 0,
                   .divides = "m",
                   .unit = kPanelRows,
                   .onlyMany = true,
                   .ordersLoops = true,
                   .few = 1});
  return knobs;
}

} // namespace qwen::codegen
