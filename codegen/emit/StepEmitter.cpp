// StepEmitter.cpp - the loops around kernel calls and the wrappers that call
// kernels.
#include "codegen/emit/StepEmitter.h"

#include "codegen/catalog/Catalog.h"

#include <optional>

namespace qwen {
namespace {

using namespace mlir;

constexpr int64_t kCounterBytes = 64;

/// Fields of `qwen_step_args`, in order.
enum StepArg : int32_t {
  Weights,
  Cache,
  ArenaBase,
  Scratch,
  Counters,
  Team,
  Barrier,
  Ids,
  Tokens,
  Position,
  LogitsFrom,
  Rank,
  Margin,
  Thread,
  Threads
};

/// The number behind a value made by `constant`.
std::optional<int64_t> known(Value value) {
  if (auto op = value.getDefiningOp<LLVM::ConstantOp>())
    if (auto number = dyn_cast<IntegerAttr>(op.getValue()))
      return number.getInt();
  return std::nullopt;
}

} // namespace

LLVM::LLVMStructType stepArgsType(MLIRContext *context) {
  Type pointer = LLVM::LLVMPointerType::get(context);
  Type i64 = IntegerType::get(context, 64);
  SmallVector<Type> fields(8, pointer); // weights .. ids
  fields.append(7, i64);                // tokens .. threads
  return LLVM::LLVMStructType::getLiteral(context, fields);
}

LLVM::LLVMStructType bufferType(MLIRContext *context) {
  Type pointer = LLVM::LLVMPointerType::get(context);
  Type i64 = IntegerType::get(context, 64), i32 = IntegerType::get(context, 32);
  // device, device_interface, host, flags, type, dimensions, dim, padding
  return LLVM::LLVMStructType::getLiteral(
      context, {i64, pointer, pointer, i64, i32, i32, pointer, pointer});
}

StepEmitter::StepEmitter(ModuleOp module)
    : module(module), builder(module.getContext()), loc(module.getLoc()),
      i32(builder.getI32Type()), i64(builder.getI64Type()),
      pointer(LLVM::LLVMPointerType::get(module.getContext())) {}

Value StepEmitter::constant(int64_t value) {
  return LLVM::ConstantOp::create(builder, loc, i64, value);
}

Value StepEmitter::add(Value a, Value b) {
  if (known(a) == 0)
    return b;
  if (known(b) == 0)
    return a;
  if (known(a) && known(b))
    return constant(*known(a) + *known(b));
  return LLVM::AddOp::create(builder, loc, a, b);
}

Value StepEmitter::scaled(Value a, int64_t factor) {
  if (factor == 0)
    return constant(0);
  if (known(a))
    return constant(*known(a) * factor);
  if (factor == 1)
    return a;
  return LLVM::MulOp::create(builder, loc, a, constant(factor));
}

Value StepEmitter::offset(Value base, Value bytes) {
  if (known(bytes) == 0)
    return base;
  return LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

LLVM::LLVMFuncOp StepEmitter::wrapper(ir::DispatchOp dispatch) {
  std::string symbol = dispatch.getKernel().str();
  LLVM::LLVMFuncOp &function = wrappers[symbol];
  if (function)
    return function;

  size_t inputs = dispatch.getInputs().size();
  SmallVector<Type> types(inputs, pointer);
  for (auto scalar : dispatch.getScalars().getAsRange<ir::ScalarAttr>())
    types.push_back(scalar.getKind() == ir::ScalarKind::Constant
                        ? Type(builder.getF32Type())
                        : i32);
  types.append(dispatch.getOutputs().size(), pointer);

  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(module.getBody());
  const auto declared = [&](StringRef name) {
    return LLVM::LLVMFuncOp::create(builder, loc, name,
                                    LLVM::LLVMFunctionType::get(i32, types));
  };
  LLVM::LLVMFuncOp kernel = declared(symbol), few;
  if (std::optional<StringRef> name = dispatch.getFewKernel())
    few = declared(*name);
  function = LLVM::LLVMFuncOp::create(
      builder, loc, "call." + symbol,
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(module.getContext()),
                                  types),
      LLVM::Linkage::Internal);
  // Inlined descriptors would make the steps many times larger.
  function.setNoInline(true);
  Block *body = function.addEntryBlock(builder);
  builder.setInsertionPointToStart(body);

  LLVM::LLVMStructType buffer = bufferType(module.getContext());
  Value one = constant(1);
  SmallVector<Value> arguments;
  for (auto [i, argument] : llvm::enumerate(body->getArguments())) {
    if (argument.getType() != pointer) {
      arguments.push_back(argument);
      continue;
    }
    Value descriptor =
        LLVM::AllocaOp::create(builder, loc, pointer, buffer, one);
    Value host =
        LLVM::GEPOp::create(builder, loc, pointer, buffer, descriptor,
                            ArrayRef<LLVM::GEPArg>{0, kBufferHostField});
    LLVM::StoreOp::create(builder, loc, argument, host);
    arguments.push_back(descriptor);
  }
  const auto callAndReturn = [&](LLVM::LLVMFuncOp callee) {
    LLVM::CallOp::create(builder, loc, callee, arguments);
    LLVM::ReturnOp::create(builder, loc, ValueRange());
  };
  if (few) {
    Value rows = body->getArgument(inputs + *dispatch.rowsScalar());
    Value most = LLVM::ConstantOp::create(builder, loc, i32, kFewTokens);
    Block *ofFew = function.addBlock(), *ofMany = function.addBlock();
    LLVM::CondBrOp::create(builder, loc,
                           LLVM::ICmpOp::create(builder, loc,
                                                LLVM::ICmpPredicate::sle, rows,
                                                most),
                           ofFew, ofMany);
    builder.setInsertionPointToStart(ofFew);
    callAndReturn(few);
    builder.setInsertionPointToStart(ofMany);
  }
  callAndReturn(kernel);
  return function;
}

Value StepEmitter::slotPointer(ir::SlotAttr slot, const Call &call) {
  Value bytes = add(scaled(call.chunk, slot.getChunkBytes()),
                    scaled(call.firstRow, slot.getTokenBytes()));
  bytes = add(bytes, scaled(position, slot.getPositionBytes()));
  bytes = add(bytes, scaled(first, slot.getFirstBytes()));
  bytes = add(bytes, scaled(call.span, slot.getSpanBytes()));
  Value base = arenas[static_cast<int>(slot.getArena())];
  return offset(offset(base, constant(slot.getOffset())), bytes);
}

Value StepEmitter::scalarValue(ir::ScalarAttr scalar, ir::DispatchOp dispatch,
                               const Call &call) {
  switch (scalar.getKind()) {
  case ir::ScalarKind::Tokens:
    return LLVM::TruncOp::create(builder, loc, i32, call.rows);
  case ir::ScalarKind::Position: {
    Value at = add(position, call.firstRow);
    if (dispatch.getRows() == ir::RowRange::Tail)
      at = add(at, first);
    if (dispatch.getSpan() > 0)
      at = LLVM::SubOp::create(builder, loc, at,
                               scaled(call.span, dispatch.getSpan()));
    return LLVM::TruncOp::create(builder, loc, i32, at);
  }
  case ir::ScalarKind::Rank:
    return LLVM::TruncOp::create(builder, loc, i32, rank);
  case ir::ScalarKind::Margin:
    return LLVM::TruncOp::create(builder, loc, i32, margin);
  case ir::ScalarKind::Constant:
    return LLVM::ConstantOp::create(builder, loc, builder.getF32Type(),
                                    scalar.getValue());
  }
  llvm_unreachable("every scalar kind is handled");
}

void StepEmitter::emitCall(ir::DispatchOp dispatch, LLVM::LLVMFuncOp callee,
                           const Call &call) {
  SmallVector<Value> arguments;
  for (auto slot : dispatch.getInputs().getAsRange<ir::SlotAttr>())
    arguments.push_back(slotPointer(slot, call));
  for (auto scalar : dispatch.getScalars().getAsRange<ir::ScalarAttr>())
    arguments.push_back(scalarValue(scalar, dispatch, call));
  for (auto slot : dispatch.getOutputs().getAsRange<ir::SlotAttr>())
    arguments.push_back(slotPointer(slot, call));
  LLVM::CallOp::create(builder, loc, callee, arguments);
}

void StepEmitter::emitDispatch(ir::DispatchOp dispatch) {
  LLVM::LLVMFuncOp callee = wrapper(dispatch);
  bool tail = dispatch.getRows() == ir::RowRange::Tail;
  bool shared = dispatch.getMode() == ir::Mode::Shared;
  int64_t chunks = dispatch.getChunks(), block = dispatch.getTokenBlock(),
          span = dispatch.getSpan();
  Value rows =
      tail ? Value(LLVM::SubOp::create(builder, loc, tokens, first)) : tokens;

  // One call of all rows needs no loop in a thread's own dispatch.
  if (!shared && chunks == 1 && block == 0 && span == 0 && !tail) {
    emitCall(dispatch, callee, {constant(0), constant(0), rows, constant(0)});
    return;
  }

  Value blocks; // of rows, or spans
  if (span != 0) {
    // No call of a span that no row sees.
    blocks = LLVM::UDivOp::create(builder, loc,
                                  add(add(position, rows), constant(span - 1)),
                                  constant(span));
  } else if (block == 0) {
    // No rows, no call: T is at least 1, a tail may be empty.
    if (!tail) {
      blocks = constant(1);
    } else {
      Value some = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne,
                                        rows, constant(0));
      blocks = LLVM::ZExtOp::create(builder, loc, i64, some);
    }
  } else {
    blocks = LLVM::UDivOp::create(builder, loc, add(rows, constant(block - 1)),
                                  constant(block));
  }
  Value total = scaled(blocks, chunks);
  Value cell =
      shared ? offset(counters, constant(dispatch.getCounter() * kCounterBytes))
             : Value();

  Block *before = builder.getInsertionBlock();
  Region *region = before->getParent();
  Block *head = builder.createBlock(region, region->end());
  if (!shared)
    head->addArgument(i64, loc);
  Block *body = builder.createBlock(region, region->end());
  Block *after = builder.createBlock(region, region->end());

  builder.setInsertionPointToEnd(before);
  if (shared)
    LLVM::BrOp::create(builder, loc, head);
  else
    LLVM::BrOp::create(builder, loc, ValueRange{constant(0)}, head);

  builder.setInsertionPointToEnd(head);
  // Relaxed: the claim orders nothing, barriers do.
  Value index = shared ? Value(LLVM::AtomicRMWOp::create(
                             builder, loc, LLVM::AtomicBinOp::add, cell,
                             constant(1), LLVM::AtomicOrdering::monotonic))
                       : head->getArgument(0);
  Value more = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ult,
                                    index, total);
  LLVM::CondBrOp::create(builder, loc, more, body, after);

  builder.setInsertionPointToEnd(body);
  Call call{index, constant(0), rows, constant(0)};
  if (block != 0 || span != 0) {
    Value number = index;
    call.chunk = constant(0);
    if (chunks != 1) {
      number = LLVM::UDivOp::create(builder, loc, index, constant(chunks));
      call.chunk = LLVM::URemOp::create(builder, loc, index, constant(chunks));
    }
    if (span != 0) {
      call.span = number;
    } else {
      call.firstRow = scaled(number, block);
      Value left = LLVM::SubOp::create(builder, loc, rows, call.firstRow);
      call.rows = LLVM::UMinOp::create(builder, loc, left, constant(block));
    }
  }
  emitCall(dispatch, callee, call);
  if (shared)
    LLVM::BrOp::create(builder, loc, head);
  else
    LLVM::BrOp::create(builder, loc, ValueRange{add(index, constant(1))}, head);
  builder.setInsertionPointToEnd(after);
}

void StepEmitter::emitBarrier() {
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(module.getContext()), {pointer, i64});
  LLVM::CallOp::create(builder, loc, type, ValueRange{barrier, team, thread});
}

LLVM::LLVMFuncOp StepEmitter::emit(ir::StepOp step) {
  loc = step.getLoc();
  builder.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(module.getContext()), {pointer});
  auto function = LLVM::LLVMFuncOp::create(builder, loc, step.getSymName(),
                                           type, LLVM::Linkage::Internal);
  Block *entry = function.addEntryBlock(builder);
  builder.setInsertionPointToStart(entry);

  LLVM::LLVMStructType args = stepArgsType(module.getContext());
  auto field = [&](StepArg index) -> Value {
    Value address =
        LLVM::GEPOp::create(builder, loc, pointer, args, entry->getArgument(0),
                            ArrayRef<LLVM::GEPArg>{0, int32_t(index)});
    return LLVM::LoadOp::create(builder, loc, args.getBody()[index], address);
  };
  arenas[int(ir::Arena::Weights)] = field(Weights);
  arenas[int(ir::Arena::Cache)] = field(Cache);
  arenas[int(ir::Arena::Arena)] = field(ArenaBase);
  arenas[int(ir::Arena::Scratch)] = field(Scratch);
  arenas[int(ir::Arena::Ids)] = field(Ids);
  counters = field(Counters);
  team = field(Team);
  barrier = field(Barrier);
  tokens = step.getTokens() ? constant(step.getTokens()) : field(Tokens);
  position = field(Position);
  first = field(LogitsFrom);
  rank = field(Rank);
  margin = field(Margin);
  thread = field(Thread);

  for (Operation &op : step.getBody().front()) {
    loc = op.getLoc();
    if (auto dispatch = dyn_cast<ir::DispatchOp>(op))
      emitDispatch(dispatch);
    else if (isa<ir::BarrierOp>(op))
      emitBarrier();
  }
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  return function;
}

} // namespace qwen
