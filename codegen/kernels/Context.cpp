// Context.cpp - declares a kernel's arguments so that nothing but `host` is
// read of a buffer's descriptor.
#include "codegen/kernels/Kernel.h"
#include "codegen/kernels/NearPrefetch.h"

#include <algorithm>

namespace qwen::codegen {

using namespace Halide;

BuildContext::BuildContext(const KernelSymbol &symbol, const Kernel &kernel,
                           const CpuTarget &target)
    : symbol(symbol), kernel(kernel), target(target) {
  for (const CatalogOption &option : kernel.interface.options)
    if (option.name == "format")
      weightFormat = findFormat(symbol.options.front());
}

int BuildContext::dim(std::string_view letter) const {
  const int64_t value = symbol.dim(letter);
  if (value < 0 || value > INT32_MAX)
    throw KernelError{"kernel `" + symbol.kernel + "` needs dim `" +
                      std::string(letter) + "`"};
  return int(value);
}

bool BuildContext::hasKnob(std::string_view name) const {
  return std::any_of(
      kernel.interface.knobs.begin(), kernel.interface.knobs.end(),
      [&](const CatalogKnob &knob) { return knob.name == name; });
}

int BuildContext::knob(std::string_view name) const {
  for (size_t i = 0; i < kernel.interface.knobs.size(); ++i)
    if (kernel.interface.knobs[i].name == name)
      return int(symbol.point.at(i));
  throw KernelError{"kernel `" + symbol.kernel + "` has no knob `" +
                    std::string(name) + "`"};
}

const std::string &optionOf(const KernelSymbol &symbol, const Kernel &kernel,
                            std::string_view name) {
  for (size_t i = 0; i < kernel.interface.options.size(); ++i)
    if (kernel.interface.options[i].name == name)
      return symbol.options.at(i);
  throw KernelError{"kernel `" + symbol.kernel + "` has no option `" +
                    std::string(name) + "`"};
}

Type BuildContext::cacheType() const {
  return Float(option("kv") == "f16" ? 16 : 32);
}

const CacheCode *BuildContext::cacheCode() const {
  return qwen::cacheCode(option("kv"));
}

Expr BuildContext::tokens() const {
  return oneToken() ? Expr(1) : Expr(tokenParam);
}

Expr BuildContext::fma(Expr a, Expr b, Expr sum) const {
  if (!target.fma)
    return a * b + sum;
  // LLVM's intrinsic by name: a vector of any width becomes one instruction a
  // register.
  return Internal::Call::make(Float(32), "llvm.fma.f32", {a, b, sum},
                              Internal::Call::PureExtern);
}

Extents BuildContext::headRows(int width, int heads, int64_t rowHeads) const {
  return {{width, 1}, {heads, width}, {tokens(), rowStride(rowHeads * width)}};
}

Extents BuildContext::partRows(int part, int heads, int64_t rowHeads) const {
  return {{16, 1},
          {part / 16, 16},
          {heads, part},
          {tokens(), rowStride(rowHeads * part)}};
}

Extents BuildContext::halfHeadRows(int width, int heads,
                                   int64_t rowHeads) const {
  return {{width / 2, 1},
          {2, width / 2},
          {heads, width},
          {tokens(), rowStride(rowHeads * width)}};
}

ImageParam BuildContext::buffer(const std::string &name, Type type,
                                const Extents &extentsAndStrides) {
  ImageParam param(type, int(extentsAndStrides.size()), name);
  for (size_t i = 0; i < extentsAndStrides.size(); ++i)
    param.dim(int(i))
        .set_bounds(0, extentsAndStrides[i].first)
        .set_stride(int(extentsAndStrides[i].second));
  arguments.push_back(param);
  return param;
}

ImageParam BuildContext::rows(const std::string &name, int64_t width,
                              Type type) {
  ImageParam param(type, 2, name);
  param.dim(0).set_bounds(0, int(rowStride(width))).set_stride(1);
  param.dim(1).set_bounds(0, tokens()).set_stride(int(rowStride(width)));
  arguments.push_back(param);
  return param;
}

ImageParam BuildContext::ids(const std::string &name) {
  ImageParam param(Int(32), 1, name);
  param.dim(0).set_bounds(0, tokens()).set_stride(1);
  arguments.push_back(param);
  return param;
}

ImageParam BuildContext::vec(const std::string &name, int64_t width) {
  return buffer(name, Float(32), {{int(rowStride(width)), 1}});
}

Activations BuildContext::activations(int64_t innerSize) {
  if (option("act") == "f32")
    return {rows("x", innerSize), {}, {}, false};
  ImageParam values = rows("xq", innerSize, Int(8));
  ImageParam scale = rows("xs", innerSize / 32, Float(32));
  ImageParam halfSums = rows("xsum", innerSize / 32, Int(32));
  return {values, scale, halfSums, true};
}

PlaneParams BuildContext::weight(const std::string &name, int64_t innerSize,
                                 int64_t panels) {
  PlaneParams params = planeParams(format(), name, innerSize, panels);
  for (const ImageParam &param : params)
    arguments.push_back(param);
  return params;
}

void BuildContext::addTokens() { arguments.push_back(tokenParam); }

Param<int32_t> BuildContext::scalarInt(const std::string &name) {
  Param<int32_t> param(name);
  arguments.push_back(param);
  return param;
}

Param<float> BuildContext::scalarFloat(const std::string &name) {
  Param<float> param(name);
  arguments.push_back(param);
  return param;
}

void BuildContext::output(Func func, const Extents &extentsAndStrides) {
  OutputImageParam buffer = func.output_buffer();
  for (size_t i = 0; i < extentsAndStrides.size(); ++i)
    buffer.dim(int(i))
        .set_bounds(0, extentsAndStrides[i].first)
        .set_stride(int(extentsAndStrides[i].second));
  outputs.push_back(func);
}

Module buildModule(const KernelSymbol &symbol) {
  const Kernel *kernel = findKernel(symbol.kernel);
  const CpuTarget *target = findTarget(symbol.target);
  if (!kernel || !target)
    throw KernelError{"no kernel `" + symbol.kernel + "` for `" +
                      symbol.target + "`"};
  const KernelCatalog catalog = makeCatalog();
  if (std::optional<std::string> problem = catalog.check(symbol))
    throw KernelError{*problem};
  BuildContext context(symbol, *kernel, *target);
  kernel->build(context);

  std::string error;
  const auto declared = catalog.arguments(symbol.kernel, symbol.options, error);
  std::vector<std::string> names;
  for (const KernelArgument &argument : *declared)
    if (argument.role != "output")
      names.push_back(argument.name);
  const bool equal = std::equal(
      names.begin(), names.end(), context.arguments.begin(),
      context.arguments.end(), [](std::string name, const Argument &argument) {
        std::replace(name.begin(), name.end(), '.', '_');
        return name == argument.name;
      });
  if (!equal)
    throw KernelError{"kernel `" + symbol.kernel +
                      "` builds other arguments than it declares"};
  NearPrefetch nearPrefetch;
  Pipeline pipeline(context.outputs);
  pipeline.add_custom_lowering_pass(&nearPrefetch, nullptr);
  return pipeline.compile_to_module(context.arguments, symbol.str(),
                                    target->halideTarget(),
                                    LinkageType::External);
}

} // namespace qwen::codegen
