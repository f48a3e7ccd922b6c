// LowerToLLVM.cpp - steps by StepEmitter, then the plan global with its texts.
#include "codegen/emit/LowerToLLVM.h"

#include "codegen/catalog/Catalog.h"
#include "codegen/emit/StepEmitter.h"
#include "codegen/emit/TapTable.h"
#include "passes/transforms/WeightLayout.h"
#include "qwen/qwen.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/raw_ostream.h"

namespace qwen {
namespace {

using namespace mlir;

/// A private constant with the text and a final zero.
LLVM::GlobalOp textGlobal(ModuleOp module, StringRef name, StringRef text) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  std::string bytes = text.str() + '\0';
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
  return LLVM::GlobalOp::create(builder, module.getLoc(), type,
                                /*isConstant=*/true, LLVM::Linkage::Internal,
                                name, builder.getStringAttr(bytes));
}

/// Weight bytes that a chunk of the dispatch strides over. Planes of one stream
/// start one behind the other and stride alike: the first counts for all.
int64_t weightChunkBytes(ir::DispatchOp dispatch) {
  int64_t bytes = 0, streamEnd = 0;
  for (auto slot : dispatch.getInputs().getAsRange<ir::SlotAttr>()) {
    const auto begin = int64_t(slot.getOffset());
    if (slot.getArena() != ir::Arena::Weights ||
        (begin < streamEnd && begin + slot.getChunkBytes() > streamEnd))
      continue;
    bytes += slot.getChunkBytes();
    streamEnd = begin + slot.getChunkBytes();
  }
  return bytes;
}

/// Weight bytes that a step of one token reads, whatever the token: every byte
/// of the weights that its dispatches stride over, and one row of those they
/// look rows up in. Which rows are scored again depends on the token.
int64_t stepBytes(ModuleOp planned, StringRef name) {
  int64_t bytes = 0;
  for (auto step : planned.getOps<ir::StepOp>())
    if (step.getSymName() == name)
      step.walk([&](ir::DispatchOp dispatch) {
        std::optional<KernelSymbol> symbol =
            KernelSymbol::parse(dispatch.getKernel().str());
        if (symbol && symbol->kernel == "linear_rescore")
          return;
        bytes += weightChunkBytes(dispatch) * int64_t(dispatch.getChunks());
      });
  return bytes;
}

/// The dispatch of a kernel that at most one step has, with its symbol; null
/// when none has.
std::pair<ir::DispatchOp, KernelSymbol> onlyDispatch(ModuleOp planned,
                                                     StringRef kernel) {
  std::pair<ir::DispatchOp, KernelSymbol> found;
  planned.walk([&](ir::DispatchOp dispatch) {
    std::optional<KernelSymbol> symbol =
        KernelSymbol::parse(dispatch.getKernel().str());
    if (symbol && symbol->kernel == kernel)
      found = {dispatch, *symbol};
  });
  return found;
}

/// Weight bytes of one row that is scored again; 0 when none ever is.
int64_t rescoredRowBytes(ModuleOp planned) {
  auto [rescore, symbol] = onlyDispatch(planned, "linear_rescore");
  if (!rescore)
    return 0;
  return weightChunkBytes(rescore) / symbol.dim("m");
}

/// Where a screened step leaves its floor in each thread's scratch; 0 when
/// there is no such step.
int64_t floorOffset(ModuleOp planned) {
  ir::DispatchOp dispatch = onlyDispatch(planned, "score_floor").first;
  return dispatch ? cast<ir::SlotAttr>(dispatch.getOutputs()[0]).getOffset()
                  : 0;
}

} // namespace

LLVM::LLVMStructType planType(MLIRContext *context) {
  Type i8 = IntegerType::get(context, 8), i32 = IntegerType::get(context, 32),
       i64 = IntegerType::get(context, 64);
  Type pointer = LLVM::LLVMPointerType::get(context);
  SmallVector<Type> fields = {
      i32, i32, LLVM::LLVMArrayType::get(i8, 16), pointer, pointer, pointer};
  fields.append(23, i64);
  fields.append(5, pointer);
  return LLVM::LLVMStructType::getLiteral(context, fields);
}

void lowerToLLVM(ModuleOp module, const PlanFacts &facts,
                 const Fingerprint &fingerprint) {
  ir::PlanAttr plan = ir::getPlan(module);
  int64_t readBytes = stepBytes(module, "decode");
  int64_t screenedBytes = stepBytes(module, "decode_screened"),
          rowBytes = rescoredRowBytes(module), floor = floorOffset(module);
  int64_t cacheTokenBytes =
      plan.getCacheBytes() /
      std::max<int64_t>(1, llvm::alignTo(facts.context, 64));
  std::string taps = tapTable(module);
  StepEmitter emitter(module);
  SmallVector<Operation *> planned;
  LLVM::LLVMFuncOp decode, screened, prefill;
  for (Operation &op : *module.getBody())
    planned.push_back(&op);
  for (Operation *op : planned)
    if (auto step = dyn_cast<ir::StepOp>(op)) {
      LLVM::LLVMFuncOp function = emitter.emit(step);
      (step.getTokens() != 1                    ? prefill
       : step.getSymName() == "decode_screened" ? screened
                                                : decode) = function;
    }
  for (Operation *op : planned)
    op->erase();
  module->removeAttr(ir::QwenDialect::PlanAttrHelper::getNameStr());

  Location loc = module.getLoc();
  LLVM::GlobalOp description =
      textGlobal(module, "qwen_description", facts.description);
  LLVM::GlobalOp target = textGlobal(module, "qwen_target", facts.target);
  LLVM::GlobalOp features =
      textGlobal(module, "qwen_features", llvm::join(facts.features, ","));

  LLVM::GlobalOp tapText = textGlobal(module, "qwen_taps", taps);

  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  LLVM::LLVMStructType type = planType(module.getContext());
  auto global = LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true,
                                       LLVM::Linkage::External, facts.symbol,
                                       Attribute());
  LLVM::GlobalOp next;
  if (!facts.nextSymbol.empty())
    next = LLVM::GlobalOp::create(builder, loc, type, /*isConstant=*/true,
                                  LLVM::Linkage::External, facts.nextSymbol,
                                  Attribute());
  builder.createBlock(&global.getInitializerRegion());
  Value value = LLVM::UndefOp::create(builder, loc, type);
  int64_t field = 0;
  auto put = [&](Value member) {
    value = LLVM::InsertValueOp::create(builder, loc, value, member, field++);
  };
  auto number = [&](Type width, int64_t n) -> Value {
    return LLVM::ConstantOp::create(builder, loc, width, n);
  };
  put(number(builder.getI32Type(), QWEN_ABI_VERSION));
  put(number(builder.getI32Type(), facts.barrierSpinUs));
  auto bytesType =
      LLVM::LLVMArrayType::get(builder.getI8Type(), fingerprint.size());
  put(LLVM::ConstantOp::create(
      builder, loc, bytesType,
      builder.getStringAttr(
          StringRef(reinterpret_cast<const char *>(fingerprint.data()),
                    fingerprint.size()))));
  for (LLVM::GlobalOp text : {description, target, features})
    put(LLVM::AddressOfOp::create(builder, loc, text));
  for (int64_t n : {facts.hiddenSize,
                    facts.ffnSize,
                    facts.layers,
                    facts.queryHeads,
                    facts.keyValueHeads,
                    facts.headWidth,
                    facts.vocabSize,
                    facts.context,
                    plan.getPrefillChunk(),
                    plan.getLogitsRows(),
                    plan.getArenaBytes(),
                    plan.getScratchBytes(),
                    plan.getCacheBytes(),
                    plan.getWeightsBytes(),
                    plan.getCounters(),
                    plan.getLogitsOffset(),
                    plan.getLogitsStride(),
                    plan.getArgmaxOffset(),
                    readBytes,
                    cacheTokenBytes,
                    screenedBytes,
                    rowBytes,
                    floor})
    put(number(builder.getI64Type(), n));
  auto address = [&](auto symbol) -> Value {
    if (symbol)
      return LLVM::AddressOfOp::create(builder, loc, symbol);
    return LLVM::ZeroOp::create(
        builder, loc, LLVM::LLVMPointerType::get(module.getContext()));
  };
  for (LLVM::LLVMFuncOp function : {decode, prefill, screened})
    put(address(function));
  put(address(tapText));
  put(address(next));
  LLVM::ReturnOp::create(builder, loc, value);
}

Fingerprint fingerprintOf(ModuleOp planned, const PlanFacts &facts) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  planned.walk([&](ir::PackedWeightOp weight) {
    stream << *weight.getOperation() << "\n";
  });
  for (int64_t n :
       {facts.hiddenSize, facts.ffnSize, facts.layers, facts.queryHeads,
        facts.keyValueHeads, facts.headWidth, facts.vocabSize})
    stream << n << " ";
  stream << ir::getPlan(planned).getWeightsBytes() << " " << QWEN_ABI_VERSION;
  llvm::TruncatedBLAKE3<sizeof(Fingerprint)> hash;
  hash.update(text);
  Fingerprint fingerprint;
  auto bytes = hash.final();
  std::copy(bytes.begin(), bytes.end(), fingerprint.begin());
  return fingerprint;
}

std::vector<std::string> kernelSymbols(ModuleOp planned) {
  llvm::SetVector<StringRef> symbols;
  planned.walk([&](ir::DispatchOp dispatch) {
    symbols.insert(dispatch.getKernel());
    if (std::optional<StringRef> few = dispatch.getFewKernel())
      symbols.insert(*few);
  });
  std::vector<std::string> list;
  for (StringRef symbol : symbols)
    list.push_back(symbol.str());
  return list;
}

std::vector<PackedTensor> packedTensors(ModuleOp planned) {
  std::vector<PackedTensor> tensors;
  planned.walk([&](ir::PackedWeightOp op) {
    auto type = cast<ir::WeightType>(op.getType());
    PackedTensor tensor{op.getName().str(), type.getFormat().str(), {}, {}, 0};
    if (type.isVector() || type.isRopeTable())
      tensor.format = type.getLayout().str();
    tensor.shape.assign(type.getShape().begin(), type.getShape().end());
    for (const PlanePlace &plane : weightLayout(type).planes)
      tensor.planes.push_back(
          {plane.name, int64_t(op.getOffset()) + plane.offsetBytes});
    if (auto theta = op.getTheta())
      tensor.ropeTheta = theta->convertToDouble();
    tensors.push_back(std::move(tensor));
  });
  return tensors;
}

} // namespace qwen
