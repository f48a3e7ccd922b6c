// Mutations.cpp - one function a defect.
#include "tests/verify/Mutations.h"

#include "codegen/catalog/KernelSymbol.h"
#include "passes/ir/QwenOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

namespace qwen::verify {
namespace {

using namespace mlir;

bool named(Operation *op, StringRef part) {
  return ir::nameOf(op->getLoc()).contains(part);
}

template <typename Op> bool forEach(ModuleOp module, bool (*change)(Op)) {
  bool any = false;
  SmallVector<Op> ops;
  module.walk([&](Op op) { ops.push_back(op); });
  for (Op op : ops)
    any |= change(op);
  return any;
}

/// Another stored parameter in a linear's place.
ir::WeightOp weightNamed(ModuleOp module, StringRef name) {
  ir::WeightOp found;
  module.walk([&](ir::WeightOp op) {
    if (op.getName() == name)
      found = op;
  });
  return found;
}

bool dropBias(ModuleOp module, StringRef projection) {
  bool any = false;
  module.walk([&](Operation *op) {
    if (auto linear = dyn_cast<ir::LinearOp>(op);
        linear && linear.getBias() && named(op, projection)) {
      linear.getBiasMutable().clear();
      any = true;
    }
  });
  return any;
}

bool swapParameters(ModuleOp module, StringRef a, StringRef b) {
  ir::WeightOp first = weightNamed(module, a), second = weightNamed(module, b);
  if (!first || !second)
    return false;
  first.setName(b);
  second.setName(a);
  return true;
}

bool renameParameter(ModuleOp module, StringRef from, StringRef to) {
  ir::WeightOp weight = weightNamed(module, from);
  if (weight)
    weight.setName(to);
  return bool(weight);
}

bool setTheta(ir::RopeTableOp table) {
  table.setThetaAttr(Builder(table).getF64FloatAttr(
      table.getTheta().convertToDouble() * 1.01));
  return true;
}

bool setEps(ir::RmsNormOp norm) {
  norm.setEpsAttr(
      Builder(norm).getF64FloatAttr(norm.getEps().convertToDouble() * 10));
  return true;
}

/// The rows that a norm reads instead of those it gives.
bool dropNorm(ModuleOp module, StringRef name) {
  bool any = false;
  module.walk([&](ir::RmsNormOp norm) {
    if (!named(norm, name))
      return;
    norm.getY().replaceAllUsesWith(norm.getX());
    any = true;
  });
  return any;
}

bool doubleNorm(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::RmsNormOp norm) {
    if (any || !named(norm, "model.norm"))
      return;
    OpBuilder builder(norm);
    auto once = cast<ir::RmsNormOp>(builder.clone(*norm));
    once->setLoc(builder.getUnknownLoc());
    norm.getXMutable().assign(once.getY());
    any = true;
  });
  return any;
}

bool dropResidual(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::AddOp add) {
    if (any || !named(add, "self_attn.residual"))
      return;
    add.getAMutable().assign(add.getB());
    any = true;
  });
  return any;
}

bool dropFusedResidual(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::LinearOp linear) {
    if (!any && linear.getResidual()) {
      linear.getResidualMutable().clear();
      any = true;
    }
  });
  return any;
}

bool swapGate(ir::SwigluOp op) {
  Value gate = op.getGate(), up = op.getUp();
  op.getGateMutable().assign(up);
  op.getUpMutable().assign(gate);
  return true;
}

bool swapFusedGate(ir::LinearSwigluOp op) {
  Value gate = op.getGate(), up = op.getUp();
  op.getGateMutable().assign(up);
  op.getUpMutable().assign(gate);
  return true;
}

/// QK norms after RoPE rather than before.
bool normAfterRope(ir::RopeOp rope) {
  auto norm = rope.getX().getDefiningOp<ir::RmsNormOp>();
  if (!norm)
    return false;
  rope.getXMutable().assign(norm.getX());
  OpBuilder builder(rope);
  builder.setInsertionPointAfter(rope);
  auto late = cast<ir::RmsNormOp>(builder.clone(*norm));
  rope.getY().replaceAllUsesExcept(late.getY(), late);
  late.getXMutable().assign(rope.getY());
  late->setLoc(rope.getLoc());
  rope->setLoc(builder.getUnknownLoc());
  return true;
}

/// The queries are rotated for the first wanted row's number instead of their
/// position.
bool wrongPosition(ModuleOp module) {
  bool any = false;
  module.walk([&](func::FuncOp function) {
    function.walk([&](ir::RopeOp rope) {
      if (!named(rope, "q_rope") || function.getNumArguments() < 3)
        return;
      rope.getPositionMutable().assign(function.getArgument(2));
      any = true;
    });
  });
  return any;
}

/// The scores' 1/√C is inside the attention kernel; queries twice as long are
/// what its absence comes to, for C = 4 and in kind for every C.
bool scaleQueries(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::AttentionOp op) {
    OpBuilder builder(op);
    auto twice =
        ir::AddOp::create(builder, NameLoc::get(builder.getStringAttr("twice")),
                          op.getQ().getType(), op.getQ(), op.getQ());
    op.getQMutable().assign(twice.getY());
    any = true;
  });
  return any;
}

bool removeBarrier(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.getName() != "prefill")
      continue;
    for (Operation &op : llvm::make_early_inc_range(function.getBody().front()))
      if (isa<ir::BarrierOp>(op)) {
        op.erase();
        return true;
      }
  }
  return false;
}

/// Every slot of `dispatch` that `change` gives another for.
template <typename Change>
bool changeSlots(ir::DispatchOp dispatch, bool outputs, Change change) {
  SmallVector<Attribute> slots;
  bool any = false;
  for (auto slot : (outputs ? dispatch.getOutputs() : dispatch.getInputs())
                       .getAsRange<ir::SlotAttr>()) {
    ir::SlotAttr other = change(slot);
    any |= other != slot;
    slots.push_back(other);
  }
  auto list = ArrayAttr::get(dispatch.getContext(), slots);
  outputs ? dispatch.setOutputsAttr(list) : dispatch.setInputsAttr(list);
  return any;
}

ir::SlotAttr moved(ir::SlotAttr slot, int64_t offset, int64_t token) {
  return ir::SlotAttr::get(slot.getContext(), slot.getArena(), offset,
                           slot.getChunkBytes(), token, slot.getPositionBytes(),
                           slot.getFirstBytes(), slot.getSpanBytes());
}

/// A buffer of @prefill that lies over another one: writer, readers and tap
/// agree about it.
bool overlapBuffers(ModuleOp module) {
  for (auto step : module.getOps<ir::StepOp>()) {
    if (step.getTokens() != 0)
      continue;
    SmallVector<int64_t> offsets;
    step.walk([&](ir::DispatchOp dispatch) {
      for (auto slot : dispatch.getOutputs().getAsRange<ir::SlotAttr>())
        if (slot.getArena() == ir::Arena::Arena &&
            !llvm::is_contained(offsets, slot.getOffset()))
          offsets.push_back(slot.getOffset());
    });
    if (offsets.size() < 3)
      return false;
    int64_t from = offsets[1], to = offsets[0];
    auto change = [&](ir::SlotAttr slot) {
      return slot.getArena() == ir::Arena::Arena && slot.getOffset() == from
                 ? moved(slot, to, slot.getTokenBytes())
                 : slot;
    };
    step.walk([&](ir::DispatchOp dispatch) {
      changeSlots(dispatch, false, change);
      changeSlots(dispatch, true, change);
    });
    return true;
  }
  return false;
}

/// Each row reads what the first one wrote.
bool staleRows(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::DispatchOp dispatch) {
    if (!any && dispatch.getKernel().starts_with("qk_linear__") &&
        dispatch->getParentOfType<ir::StepOp>().getTokens() == 0)
      any |= changeSlots(dispatch, false, [](ir::SlotAttr slot) {
        return slot.getArena() == ir::Arena::Arena
                   ? moved(slot, slot.getOffset(), 0)
                   : slot;
      });
  });
  return any;
}

/// Every step rotates by the next position's angles.
bool nextPosition(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::DispatchOp dispatch) {
    any |= changeSlots(dispatch, false, [](ir::SlotAttr slot) {
      return slot.getPositionBytes() > 0
                 ? ir::SlotAttr::get(slot.getContext(), slot.getArena(),
                                     slot.getOffset() + slot.getPositionBytes(),
                                     slot.getChunkBytes(), slot.getTokenBytes(),
                                     slot.getPositionBytes(),
                                     slot.getFirstBytes(), slot.getSpanBytes())
                 : slot;
    });
  });
  return any;
}

/// Each chunk ends where the next one's second half begins: both write there.
bool chunksMeet(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::DispatchOp dispatch) {
    if (!any && dispatch.getChunks() > 1 &&
        dispatch.getKernel().starts_with("qk_linear"))
      any |= changeSlots(dispatch, true, [](ir::SlotAttr slot) {
        return slot.getArena() == ir::Arena::Arena
                   ? ir::SlotAttr::get(
                         slot.getContext(), slot.getArena(), slot.getOffset(),
                         slot.getChunkBytes() / 2, slot.getTokenBytes(),
                         slot.getPositionBytes(), slot.getFirstBytes(),
                         slot.getSpanBytes())
                   : slot;
      });
  });
  return any;
}

/// Head h attends with key head h mod G instead of h / R: R calls of a kernel
/// with one query a key head, G heads further on each.
bool tileHeads(ModuleOp module) {
  bool any = false;
  ir::PlanAttr plan = ir::getPlan(module);
  int64_t counters = plan.getCounters();
  SmallVector<ir::DispatchOp> attentions;
  module.walk([&](ir::DispatchOp dispatch) {
    if (dispatch.getKernel().starts_with("qk_attention"))
      attentions.push_back(dispatch);
  });
  for (ir::DispatchOp dispatch : attentions) {
    auto symbol = KernelSymbol::parse(dispatch.getKernel().str());
    int64_t repeats = symbol->dim("r"), chunks = dispatch.getChunks();
    if (repeats < 2 || chunks < 2)
      continue;
    for (auto &[name, value] : symbol->dims)
      if (name == "r")
        value = 1;
    symbol->point.front() = 1; // the knob `heads` divides r
    OpBuilder builder(dispatch);
    for (int64_t i = 0; i < repeats; ++i) {
      auto one = cast<ir::DispatchOp>(builder.clone(*dispatch));
      one.setKernel(symbol->str());
      one.setCounter(counters++);
      auto spread = [&](ir::SlotAttr slot) {
        int64_t head = slot.getChunkBytes() / repeats;
        return slot.getArena() == ir::Arena::Cache
                   ? slot
                   : ir::SlotAttr::get(
                         slot.getContext(), slot.getArena(),
                         slot.getOffset() + i * chunks * head, head,
                         slot.getTokenBytes(), slot.getPositionBytes(),
                         slot.getFirstBytes(), slot.getSpanBytes());
      };
      changeSlots(one, false, spread);
      changeSlots(one, true, spread);
    }
    dispatch.erase();
    any = true;
  }
  ir::setPlan(module,
              ir::PlanAttr::get(module.getContext(), plan.getWeightsBytes(),
                                plan.getCacheBytes(), plan.getArenaBytes(),
                                plan.getScratchBytes(), counters,
                                plan.getPrefillChunk(), plan.getLogitsRows(),
                                plan.getLogitsOffset(), plan.getLogitsStride(),
                                plan.getArgmaxOffset()));
  return any;
}

bool dropLastChunk(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::DispatchOp dispatch) {
    if (any || dispatch.getChunks() < 2)
      return;
    dispatch.setChunks(dispatch.getChunks() - 1);
    any = true;
  });
  return any;
}

/// Attention reads keys that nothing has written.
bool otherCache(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::DispatchOp dispatch) {
    if (!any && dispatch.getKernel().starts_with("qk_attention"))
      any |= changeSlots(dispatch, false, [](ir::SlotAttr slot) {
        return slot.getArena() == ir::Arena::Cache && slot.getOffset() == 0
                   ? moved(slot, slot.getOffset() + 64, slot.getTokenBytes())
                   : slot;
      });
  });
  return any;
}

/// All query heads attend with the first key head.
bool oneKeyHead(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::DispatchOp dispatch) {
    if (dispatch.getKernel().starts_with("qk_attention"))
      any |= changeSlots(dispatch, false, [](ir::SlotAttr slot) {
        return slot.getArena() == ir::Arena::Cache
                   ? ir::SlotAttr::get(slot.getContext(), slot.getArena(),
                                       slot.getOffset(), 0, 0, 0, 0, 0)
                   : slot;
      });
  });
  return any;
}

bool dropAppend(ModuleOp module) {
  bool any = false;
  module.walk([&](Operation *op) {
    if (any || !isa<ir::KeyAppendOp>(op))
      return;
    op->getResult(0).replaceAllUsesWith(op->getOperand(0));
    op->erase();
    any = true;
  });
  return any;
}

/// What comes to bounds of the coarse scores that are too small.
bool doubleFloor(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::LinearRescoreOp op) {
    OpBuilder builder(op);
    Value floor = op.getFloor();
    auto twice =
        ir::AddOp::create(builder, NameLoc::get(builder.getStringAttr("twice")),
                          floor.getType(), floor, floor);
    op.getFloorMutable().assign(twice.getY());
    any = true;
  });
  return any;
}

/// Rows are scored again while another thread may still look for the floor.
bool removeFloorBarrier(ModuleOp module) {
  bool any = false;
  module.walk([&](ir::LinearRescoreOp op) {
    for (Operation *before = op->getPrevNode(); before && !any;
         before = before->getPrevNode())
      if (isa<ir::BarrierOp>(before)) {
        before->erase();
        any = true;
        break;
      }
  });
  return any;
}

constexpr const char *kHead = "lm_head.weight";
constexpr const char *kEmbedding = "model.embed_tokens.weight";
constexpr const char *kLayer0Down = "model.layers.0.mlp.down_proj.weight";
constexpr const char *kLayer1Down = "model.layers.1.mlp.down_proj.weight";

} // namespace

const std::vector<Mutation> &mutations() {
  static const std::vector<Mutation> all = {
      {"no-q-bias", "import", [](ModuleOp m) { return dropBias(m, "q_proj"); }},
      {"no-k-bias", "import", [](ModuleOp m) { return dropBias(m, "k_proj"); }},
      {"no-v-bias", "import", [](ModuleOp m) { return dropBias(m, "v_proj"); }},
      {"theta", "import",
       [](ModuleOp m) { return forEach<ir::RopeTableOp>(m, setTheta); }},
      {"eps", "import",
       [](ModuleOp m) { return forEach<ir::RmsNormOp>(m, setEps); }},
      {"no-final-norm", "import",
       [](ModuleOp m) { return dropNorm(m, "model.norm"); }},
      {"double-norm", "import", doubleNorm},
      {"no-qk-norm", "import",
       [](ModuleOp m) { return dropNorm(m, "self_attn.q_norm"); }},
      {"norm-after-rope", "import",
       [](ModuleOp m) { return forEach<ir::RopeOp>(m, normAfterRope); }},
      {"no-residual", "import", dropResidual},
      {"swap-gate", "import",
       [](ModuleOp m) { return forEach<ir::SwigluOp>(m, swapGate); }},
      {"wrong-head", "import",
       [](ModuleOp m) { return renameParameter(m, kHead, kEmbedding); }},
      {"position", "import", wrongPosition},
      {"scale", "import", scaleQueries},
      {"swap-layers", "import",
       [](ModuleOp m) { return swapParameters(m, kLayer0Down, kLayer1Down); }},
      {"no-append", "import", dropAppend},
      {"swap-fused-gate", "fuse-swiglu",
       [](ModuleOp m) {
         return forEach<ir::LinearSwigluOp>(m, swapFusedGate);
       }},
      {"no-fused-residual", "fuse-residual", dropFusedResidual},
      {"double-floor", "screen-head", doubleFloor},
      {"no-barrier", "partition", removeBarrier},
      {"no-floor-barrier", "partition", removeFloorBarrier},
      {"overlap", "plan-buffers", overlapBuffers},
      {"stale", "plan-buffers", staleRows},
      {"next-position", "plan-buffers", nextPosition},
      {"chunks-meet", "plan-buffers", chunksMeet},
      {"tiled-heads", "plan-buffers", tileHeads},
      {"last-chunk", "plan-buffers", dropLastChunk},
      {"other-cache", "plan-buffers", otherCache},
      {"one-key-head", "plan-buffers", oneKeyHead},
  };
  return all;
}

const Mutation *findMutation(llvm::StringRef name) {
  for (const Mutation &mutation : mutations())
    if (name == mutation.name)
      return &mutation;
  return nullptr;
}

} // namespace qwen::verify
