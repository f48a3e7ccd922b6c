// GraphBuilder.cpp - locations, weights and the ops that every block uses.
#include "frontend/model/GraphBuilder.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"

using namespace mlir;

namespace qwen {
namespace {

std::string shapeText(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

} // namespace

int64_t GraphBuilder::cachePositions() const {
  return (options.context + kCacheBlock - 1) / kCacheBlock * kCacheBlock;
}

Location GraphBuilder::at(const std::string &name,
                          std::string_view configKey) const {
  MLIRContext *context = builder.getContext();
  StringAttr label = StringAttr::get(context, name);
  auto found = spec.positions.find(std::string(configKey));
  if (found == spec.positions.end() || found->second.line <= 0)
    return NameLoc::get(label);
  const SourcePosition &place = found->second;
  return NameLoc::get(label, FileLineColLoc::get(context, place.file,
                                                 unsigned(place.line),
                                                 unsigned(place.column)));
}

Value GraphBuilder::weight(const std::string &name,
                           llvm::ArrayRef<int64_t> shape, bool isVector,
                           std::string_view configKey) {
  if (auto made = weights.find(name); made != weights.end())
    return made->second;
  std::string storedType = "bf16";
  Location place = at(name, configKey);
  if (index) {
    auto stored = index->find(name);
    if (stored == index->end()) {
      emitError(place) << "the checkpoint has no tensor `" << name << "`";
      failed = true;
    } else if (shape != llvm::ArrayRef<int64_t>(stored->second.shape)) {
      emitError(place) << "`" << name << "` is "
                       << shapeText(stored->second.shape)
                       << "; the config asks for " << shapeText(shape);
      failed = true;
    } else {
      storedType = stored->second.storedType;
    }
  }
  auto type = ir::WeightType::get(builder.getContext(), shape,
                                  isVector ? "f32" : storedType,
                                  isVector ? "vec" : "stored");
  Value value = ir::WeightOp::create(builder, place, type, name);
  weights.emplace(name, value);
  return value;
}

Value GraphBuilder::matrix(const std::string &name, int64_t rows,
                           int64_t columns, std::string_view configKey) {
  return weight(name, {rows, columns}, false, configKey);
}

Value GraphBuilder::vector(const std::string &name, int64_t width,
                           std::string_view configKey) {
  return weight(name, {width}, true, configKey);
}

RankedTensorType GraphBuilder::rows(int64_t width) const {
  return RankedTensorType::get({ShapedType::kDynamic, width},
                               Float32Type::get(builder.getContext()));
}

Value GraphBuilder::linear(const std::string &module, Value x, int64_t width,
                           bool bias, std::string_view configKey) {
  Value w =
      matrix(module + ".weight", width, ir::widthOf(x.getType()), configKey);
  Value b = bias ? vector(module + ".bias", width, configKey) : Value();
  return ir::LinearOp::create(builder, at(module, configKey), rows(width), x, w,
                              b, Value());
}

Value GraphBuilder::norm(const std::string &module, Value x, int64_t heads) {
  int64_t width = ir::widthOf(x.getType()) / heads;
  Value w = vector(module + ".weight", width, "rms_norm_eps");
  return ir::RmsNormOp::create(builder, at(module, "rms_norm_eps"), x.getType(),
                               x, w, builder.getF64FloatAttr(spec.rmsNormEps),
                               builder.getI64IntegerAttr(heads));
}

Value GraphBuilder::add(const std::string &name, Value a, Value b) {
  return ir::AddOp::create(builder, at(name, "hidden_size"), a.getType(), a, b);
}

} // namespace qwen
