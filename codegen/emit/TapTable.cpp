// TapTable.cpp - one row a `qwen.tap`.
#include "codegen/emit/TapTable.h"

#include "passes/ir/QwenOps.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace qwen {
namespace {

using llvm::json::OStream;

void writeType(OStream &json, ir::TapOp tap) {
  mlir::Type type = tap.getType();
  if (auto cache = llvm::dyn_cast<ir::CacheType>(type)) {
    json.attribute("element", ir::stringifyCacheKind(*tap.getCache()));
    json.attribute("cache_element", cache.getElement());
    json.attributeArray("cache", [&] {
      for (int64_t size : cache.getShape())
        json.value(size);
    });
    json.attribute("width", cache.getHeads() * cache.getHeadWidth());
    return;
  }
  if (auto act = llvm::dyn_cast<ir::ActType>(type)) {
    json.attribute("element", act.getFormat());
    json.attribute("width", act.getWidth());
    return;
  }
  auto tensor = llvm::cast<mlir::RankedTensorType>(type);
  bool ids = tensor.getRank() == 1;
  json.attribute("element", ids ? "i32" : "f32");
  json.attribute("width", ids ? 1 : tensor.getDimSize(1));
}

void writeTap(OStream &json, ir::TapOp tap) {
  json.object([&] {
    json.attribute("name", tap.getName());
    json.attribute("kernel", tap.getKernel());
    json.attribute("rows", ir::stringifyRowRange(tap.getRows()));
    writeType(json, tap);
    json.attributeArray("places", [&] {
      for (auto slot : tap.getPlaces().getAsRange<ir::SlotAttr>())
        json.object([&] {
          json.attribute("arena", ir::stringifyArena(slot.getArena()));
          json.attribute("offset", slot.getOffset());
          json.attribute("stride", slot.getTokenBytes());
        });
    });
  });
}

} // namespace

std::string tapTable(mlir::ModuleOp planned) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  bool any = false;
  planned.walk([&](ir::TapOp) { any = true; });
  if (!any)
    return text;
  OStream json(stream);
  json.object([&] {
    for (auto step : planned.getOps<ir::StepOp>())
      json.attributeArray(step.getSymName(), [&] {
        for (auto tap : step.getBody().front().getOps<ir::TapOp>())
          writeTap(json, tap);
      });
  });
  return text;
}

} // namespace qwen
