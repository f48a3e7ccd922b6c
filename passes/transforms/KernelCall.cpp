// KernelCall.cpp - one case for each op that a kernel does.
#include "passes/transforms/KernelCall.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

namespace qwen {
namespace {

using Dims = std::vector<std::pair<std::string, int64_t>>;

std::string actOf(mlir::Value rows) {
  auto act = llvm::dyn_cast<ir::ActType>(rows.getType());
  return act ? act.getFormat().str() : "f32";
}

ir::WeightType weightOf(mlir::Value value) {
  return llvm::cast<ir::WeightType>(value.getType());
}

ir::CacheType cacheOf(mlir::Value value) {
  return llvm::cast<ir::CacheType>(value.getType());
}

/// Options and dims of any linear: K, [N], M and what follows.
template <typename Op>
KernelRequest linearRequest(Op op, mlir::Value weight, int64_t matrices,
                            int64_t headWidth, Dims rest, bool wholeRows,
                            std::vector<std::string> options,
                            int64_t chunkBytes) {
  ir::WeightType type = weightOf(weight);
  const CatalogFormat *format =
      KernelCatalog::builtin().format(type.getFormat().str());
  int64_t rows = type.getDim(0), inner = type.getDim(1);
  KernelRequest request{op->getName().stripDialect().str(),
                        {type.getFormat().str(), actOf(op.getX())},
                        {{"k", inner}}};
  if (wholeRows)
    request.dims.emplace_back("n", rows);
  request.dims.emplace_back(
      "m",
      format ? chunkRows(*format, rows, inner, headWidth, matrices, chunkBytes)
             : 0);
  llvm::append_range(request.dims, rest);
  llvm::append_range(request.options, options);
  return request;
}

std::vector<std::string>
flags(std::initializer_list<std::pair<const char *, mlir::Value>> operands) {
  std::vector<std::string> names;
  for (auto [name, value] : operands)
    if (value)
      names.push_back(name);
  return names;
}

std::vector<std::string> joined(std::string first,
                                std::vector<std::string> rest) {
  rest.insert(rest.begin(), std::move(first));
  return rest;
}

} // namespace

KernelRequest kernelRequest(mlir::Operation *op, int64_t tokens,
                            int64_t chunkBytes) {
  KernelRequest request =
      llvm::TypeSwitch<mlir::Operation *, KernelRequest>(op)
          .Case([](ir::EmbeddingOp op) {
            ir::WeightType type = weightOf(op.getWeight());
            return KernelRequest{
                "embedding",
                {type.getFormat().str()},
                {{"k", type.getDim(1)}, {"n", type.getDim(0)}}};
          })
          .Case([](ir::RmsNormOp op) {
            return KernelRequest{"rms_norm",
                                 {},
                                 {{"k", weightOf(op.getWeight()).getDim(0)},
                                  {"h", int64_t(op.getHeads())}}};
          })
          .Case([](ir::QuantizeOp op) {
            return KernelRequest{
                "quantize", {}, {{"k", ir::widthOf(op.getX().getType())}}};
          })
          .Case([&](ir::LinearOp op) {
            return linearRequest(
                op, op.getWeight(), 1, 1, {}, true,
                flags({{"bias", op.getBias()}, {"residual", op.getResidual()}}),
                chunkBytes);
          })
          .Case<ir::LinearCoarseOp, ir::LinearRescoreOp>([&](auto op) {
            return linearRequest(op, op.getWeight(), 1, 1, {}, true, {},
                                 chunkBytes);
          })
          .Case([](ir::ScoreFloorOp op) {
            ir::WeightType type = weightOf(op.getWeight());
            return KernelRequest{"score_floor",
                                 {type.getFormat().str(), actOf(op.getX())},
                                 {{"k", type.getDim(1)},
                                  {"v", int64_t(op.getEligible())},
                                  {"n", type.getDim(0)}}};
          })
          .Case([&](ir::LinearSwigluOp op) {
            return linearRequest(op, op.getGate(), 2, 1, {}, true, {},
                                 chunkBytes);
          })
          .Case([&](ir::LinearRopeOp op) {
            int64_t width = weightOf(op.getTable()).getDim(1);
            return linearRequest(
                op, op.getWeight(), 1, width, {{"c", width}}, true,
                flags({{"bias", op.getBias()}, {"norm", op.getNorm()}}),
                chunkBytes);
          })
          .Case([&](ir::LinearRopeAppendOp op) {
            ir::CacheType cache = cacheOf(op.getCache());
            return linearRequest(
                op, op.getWeight(), 1, cache.getHeadWidth(),
                {{"c", cache.getHeadWidth()}, {"s", cache.getPositions()}},
                false,
                joined(cache.getElement().str(),
                       flags({{"bias", op.getBias()}, {"norm", op.getNorm()}})),
                chunkBytes);
          })
          .Case([&](ir::LinearAppendOp op) {
            ir::CacheType cache = cacheOf(op.getCache());
            return linearRequest(
                op, op.getWeight(), 1, cache.getHeadWidth(),
                {{"c", cache.getHeadWidth()}, {"s", cache.getPositions()}},
                false,
                joined(cache.getElement().str(),
                       flags({{"bias", op.getBias()}})),
                chunkBytes);
          })
          .Case([](ir::RopeOp op) {
            return KernelRequest{"rope",
                                 {},
                                 {{"h", int64_t(op.getHeads())},
                                  {"c", weightOf(op.getTable()).getDim(1)}}};
          })
          .Case<ir::KeyAppendOp, ir::ValueAppendOp>([](auto op) {
            ir::CacheType cache = cacheOf(op.getCache());
            return KernelRequest{op->getName().stripDialect().str(),
                                 {cache.getElement().str()},
                                 {{"g", cache.getHeads()},
                                  {"c", cache.getHeadWidth()},
                                  {"s", cache.getPositions()}}};
          })
          .Case([](ir::AttentionOp op) {
            ir::CacheType cache = cacheOf(op.getKeys());
            int64_t heads = op.getHeads();
            return KernelRequest{"attention",
                                 {cache.getElement().str()},
                                 {{"h", heads},
                                  {"r", heads / cache.getHeads()},
                                  {"c", cache.getHeadWidth()},
                                  {"s", cache.getPositions()}}};
          })
          .Case([](ir::AttentionSpanOp op) {
            ir::CacheType cache = cacheOf(op.getKeys());
            int64_t heads = op.getHeads();
            return KernelRequest{
                "attention_span",
                {cache.getElement().str()},
                {{"h", heads},
                 {"r", heads / cache.getHeads()},
                 {"c", cache.getHeadWidth()},
                 {"p", partWidth(cache.getHeadWidth())},
                 {"s", std::min(cache.getPositions(), kSpanPositions)}}};
          })
          .Case([](ir::AttentionMergeOp op) {
            int64_t heads = op.getHeads(),
                    width = ir::widthOf(op.getY().getType()) / heads;
            return KernelRequest{"attention_merge",
                                 {},
                                 {{"h", heads},
                                  {"c", width},
                                  {"p", partWidth(width)},
                                  {"n", ir::widthOf(op.getParts().getType()) /
                                            (heads * partWidth(width))}}};
          })
          .Case([](ir::ArgmaxOp op) {
            return KernelRequest{
                "argmax",
                {},
                {{"v", int64_t(op.getEligible())},
                 {"n", ir::widthOf(op.getLogits().getType())}}};
          })
          .Case<ir::SwigluOp, ir::AddOp>([](auto op) {
            return KernelRequest{op->getName().stripDialect().str(),
                                 {},
                                 {{"k", ir::widthOf(op.getY().getType())}}};
          });
  request.dims.emplace_back("t", tokens);
  return request;
}

mlir::Value operandValue(mlir::Operation *op, llvm::StringRef operand) {
  bool isAppend = op->hasTrait<mlir::OpTrait::OneResult>() &&
                  llvm::isa<ir::CacheType>(op->getResult(0).getType());
  if (operand == "y" ||
      (isAppend && (operand == "keys" || operand == "values")))
    return op->getResult(0);
  auto pick = [&](std::initializer_list<std::pair<const char *, mlir::Value>>
                      operands) {
    for (auto [name, value] : operands)
      if (operand == name)
        return value;
    return mlir::Value();
  };
  return llvm::TypeSwitch<mlir::Operation *, mlir::Value>(op)
      .Case([&](ir::EmbeddingOp op) {
        return pick({{"ids", op.getIds()}, {"W", op.getWeight()}});
      })
      .Case([&](ir::RmsNormOp op) {
        return pick({{"x", op.getX()}, {"w", op.getWeight()}});
      })
      .Case([&](ir::QuantizeOp op) {
        return operand == "x" ? mlir::Value(op.getX()) : mlir::Value(op.getY());
      })
      .Case([&](ir::LinearOp op) {
        return pick({{"act", op.getX()},
                     {"W", op.getWeight()},
                     {"bias", op.getBias()},
                     {"residual", op.getResidual()}});
      })
      .Case([&](ir::LinearCoarseOp op) {
        return pick({{"act", op.getX()}, {"W", op.getWeight()}});
      })
      .Case([&](ir::ScoreFloorOp op) {
        return pick({{"coarse", op.getCoarse()},
                     {"act", op.getX()},
                     {"W", op.getWeight()}});
      })
      .Case([&](ir::LinearRescoreOp op) {
        return pick({{"coarse", op.getCoarse()},
                     {"floor", op.getFloor()},
                     {"act", op.getX()},
                     {"W", op.getWeight()}});
      })
      .Case([&](ir::LinearSwigluOp op) {
        return pick(
            {{"act", op.getX()}, {"Wgate", op.getGate()}, {"Wup", op.getUp()}});
      })
      .Case<ir::LinearRopeOp, ir::LinearRopeAppendOp>([&](auto op) {
        return pick({{"act", op.getX()},
                     {"W", op.getWeight()},
                     {"bias", op.getBias()},
                     {"w", op.getNorm()},
                     {"rope", op.getTable()}});
      })
      .Case([&](ir::LinearAppendOp op) {
        return pick({{"act", op.getX()},
                     {"W", op.getWeight()},
                     {"bias", op.getBias()}});
      })
      .Case([&](ir::RopeOp op) {
        return pick({{"x", op.getX()}, {"rope", op.getTable()}});
      })
      .Case<ir::KeyAppendOp, ir::ValueAppendOp>(
          [&](auto op) { return pick({{"x", op.getX()}}); })
      .Case<ir::AttentionOp, ir::AttentionSpanOp>([&](auto op) {
        return pick({{"q", op.getQ()},
                     {"keys", op.getKeys()},
                     {"values", op.getValues()}});
      })
      .Case([&](ir::AttentionMergeOp op) {
        return pick({{"parts", op.getParts()}});
      })
      .Case([&](ir::SwigluOp op) {
        return pick({{"gate", op.getGate()}, {"up", op.getUp()}});
      })
      .Case([&](ir::AddOp op) {
        return pick({{"a", op.getA()}, {"b", op.getB()}});
      })
      .Case([&](ir::ArgmaxOp op) { return pick({{"logits", op.getLogits()}}); })
      .Default(mlir::Value());
}

CachePlace cachePlace(ir::CacheType type, const KernelArgument &argument) {
  CachePlace place{0, 0};
  for (const CachePlane &plane :
       type.getPlanes(argument.operand == "keys" ? ir::CacheKind::Key
                                                 : ir::CacheKind::Value)) {
    place.headBytes = plane.headBytes(type.getPositions());
    if (argument.name == argument.operand + std::string(plane.suffix))
      break;
    place.offsetBytes += type.getHeads() * place.headBytes;
  }
  return place;
}

ChunkStep chunkStep(mlir::Operation *op, llvm::StringRef operand,
                    const KernelSymbol &symbol) {
  int64_t rows = symbol.dim("m");
  if (llvm::isa<ir::AttentionOp, ir::AttentionSpanOp>(op)) {
    if (operand == "keys" || operand == "values")
      return {.heads = 1};
    bool isPart = operand == "y" && llvm::isa<ir::AttentionSpanOp>(op);
    return {.columns = symbol.dim("r") * symbol.dim(isPart ? "p" : "c")};
  }
  if (rows < 0 || operand == "act" || operand == "w" || operand == "rope" ||
      operand == "floor")
    return {};
  mlir::Value value = operandValue(op, operand);
  if (llvm::isa<ir::WeightType>(value.getType()))
    return {.rows = rows};
  if (llvm::isa<ir::CacheType>(value.getType()))
    return {.heads = rows / symbol.dim("c")};
  return {.columns = rows};
}

int64_t spanOf(mlir::Operation *op) {
  return llvm::isa<ir::AttentionSpanOp>(op) ? kSpanPositions : 0;
}

int64_t spanBytes(mlir::Operation *op, const KernelArgument &argument) {
  auto attention = llvm::dyn_cast<ir::AttentionSpanOp>(op);
  if (!attention || argument.operand == "q")
    return 0;
  ir::CacheType cache = attention.getKeys().getType();
  if (argument.operand == "y")
    return int64_t(attention.getHeads()) * partWidth(cache.getHeadWidth()) * 4;
  return cachePlace(cache, argument).headBytes / cache.getPositions() *
         kSpanPositions;
}

int64_t chunkCount(mlir::Operation *op, const KernelSymbol &symbol) {
  if (auto attention = llvm::dyn_cast<ir::AttentionOp>(op))
    return cacheOf(attention.getKeys()).getHeads();
  if (auto attention = llvm::dyn_cast<ir::AttentionSpanOp>(op))
    return cacheOf(attention.getKeys()).getHeads();
  int64_t rows = symbol.dim("m");
  if (rows <= 0)
    return 1;
  for (mlir::Value operand : op->getOperands())
    if (auto type = llvm::dyn_cast<ir::WeightType>(operand.getType());
        type && type.isMatrix())
      return roundUp(type.getDim(0), 16) / rows;
  return 1;
}

std::optional<double> constantScalar(mlir::Operation *op,
                                     llvm::StringRef operand) {
  if (operand != "eps")
    return std::nullopt;
  if (auto eps = op->getAttrOfType<mlir::FloatAttr>("eps"))
    return eps.getValueAsDouble();
  return std::nullopt;
}

int64_t stepTokens(mlir::func::FuncOp function) {
  for (mlir::Type type : function.getArgumentTypes())
    if (auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type))
      return tensor.isDynamicDim(0) ? 0 : tensor.getDimSize(0);
  return 0;
}

int64_t tokenTile(const KernelSymbol &symbol) {
  const CatalogKernel *kernel = KernelCatalog::builtin().kernel(symbol.kernel);
  if (kernel)
    for (size_t i = 0; i < kernel->knobs.size() && i < symbol.point.size(); ++i)
      if (kernel->knobs[i].name == "tokens")
        return symbol.point[i];
  return 1;
}

} // namespace qwen
