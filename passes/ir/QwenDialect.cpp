// QwenDialect.cpp - registration, the discardable attributes' rules, and
// questions about any op.
#include "passes/ir/QwenDialect.h"

#include "passes/ir/QwenOps.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "passes/ir/QwenDialect.cpp.inc"

#include "passes/ir/QwenEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "passes/ir/QwenAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "passes/ir/QwenTypes.cpp.inc"

namespace qwen::ir {

void QwenDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "passes/ir/QwenTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "passes/ir/QwenAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "passes/ir/QwenOps.cpp.inc"
      >();
}

LogicalResult QwenDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attribute) {
  StringRef name = attribute.getName().strref();
  if (name == KernelAttrHelper::getNameStr() ||
      name == FewKernelAttrHelper::getNameStr()) {
    auto symbol = dyn_cast<StringAttr>(attribute.getValue());
    if (!symbol || !symbol.getValue().starts_with("qk_"))
      return op->emitOpError() << "`" << name << "` is " << attribute.getValue()
                               << ", not a kernel symbol";
    if (!isCompute(op))
      return op->emitOpError()
             << "carries `" << name << "` but no kernel does it";
    return success();
  }
  if (name == PartitionAttrHelper::getNameStr()) {
    if (!isa<PartitionAttr>(attribute.getValue()))
      return op->emitOpError() << "`" << name << "` is " << attribute.getValue()
                               << ", not a partition";
    if (!isCompute(op))
      return op->emitOpError()
             << "carries `" << name << "` but no kernel does it";
    return success();
  }
  if (name == PlanAttrHelper::getNameStr()) {
    if (!isa<PlanAttr>(attribute.getValue()) || !isa<ModuleOp>(op))
      return op->emitOpError()
             << "`" << name << "` holds a plan and stands on a module";
    return success();
  }
  return op->emitOpError() << "`" << name << "` is no attribute of the dialect";
}

StringRef getKernel(Operation *op) {
  auto symbol = op->getAttrOfType<StringAttr>(
      QwenDialect::KernelAttrHelper::getNameStr());
  return symbol ? symbol.getValue() : StringRef();
}

void setKernel(Operation *op, StringRef symbol) {
  op->setAttr(QwenDialect::KernelAttrHelper::getNameStr(),
              StringAttr::get(op->getContext(), symbol));
}

StringAttr getFewKernel(Operation *op) {
  return op->getAttrOfType<StringAttr>(
      QwenDialect::FewKernelAttrHelper::getNameStr());
}

void setFewKernel(Operation *op, StringRef symbol) {
  op->setAttr(QwenDialect::FewKernelAttrHelper::getNameStr(),
              StringAttr::get(op->getContext(), symbol));
}

PartitionAttr getPartition(Operation *op) {
  return op->getAttrOfType<PartitionAttr>(
      QwenDialect::PartitionAttrHelper::getNameStr());
}

void setPartition(Operation *op, PartitionAttr partition) {
  op->setAttr(QwenDialect::PartitionAttrHelper::getNameStr(), partition);
}

PlanAttr getPlan(Operation *module) {
  return module->getAttrOfType<PlanAttr>(
      QwenDialect::PlanAttrHelper::getNameStr());
}

void setPlan(Operation *module, PlanAttr plan) {
  module->setAttr(QwenDialect::PlanAttrHelper::getNameStr(), plan);
}

StringRef nameOf(Location location) {
  if (auto named = dyn_cast<NameLoc>(location))
    return named.getName().getValue();
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      if (StringRef name = nameOf(part); !name.empty())
        return name;
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return nameOf(call.getCallee());
  return {};
}

std::string tapName(Operation *op) {
  if (auto tail = dyn_cast<TailOp>(op))
    if (Operation *source = tail.getX().getDefiningOp())
      return tapName(source);
  if (auto quantize = dyn_cast<QuantizeOp>(op))
    if (Operation *source = quantize.getX().getDefiningOp())
      return tapName(source) + ".quantized";
  return nameOf(op->getLoc()).str();
}

bool isRows(Type type) { return isa<ActType, RankedTensorType>(type); }

int64_t widthOf(Type rows) {
  if (auto act = dyn_cast<ActType>(rows))
    return act.getWidth();
  return cast<RankedTensorType>(rows).getDimSize(1);
}

int64_t tokensOf(Type rows) {
  auto tensor = dyn_cast<RankedTensorType>(rows);
  return tensor ? tensor.getDimSize(0) : ShapedType::kDynamic;
}

} // namespace qwen::ir
