// BufferPlannerTest.cpp - no two values that share memory are in use at one
// time, judged by brute force over events. Run: unit_passes_transforms
// --gtest_filter='*BufferPlanner*'
#include "passes/transforms/BufferPlanner.h"

#include "frontend/model/ImportModel.h"
#include "passes/ir/QwenOps.h"
#include "passes/pipeline/Pipeline.h"

#include "gtest/gtest.h"

#include <map>
#include <string>
#include <vector>

namespace qwen {
namespace {

constexpr int64_t kPrefillRows = 24;

/// Every place in the program where a value's memory is written or read, `tail`
/// looked through.
std::vector<mlir::Operation *> eventsOf(mlir::Value value) {
  std::vector<mlir::Operation *> events = {value.getDefiningOp()};
  for (mlir::Operation *user : value.getUsers()) {
    events.push_back(user);
    if (llvm::isa<ir::TailOp>(user))
      for (mlir::Operation *reader : user->getResult(0).getUsers())
        events.push_back(reader);
  }
  return events;
}

struct Range {
  int64_t begin, end;
};

/// Bytes from the start of a value's first buffer to the end of its last.
Range bytesOf(const BufferPlanner &planner, mlir::Value value, int64_t rows) {
  bool isAct = llvm::isa<ir::ActType>(value.getType());
  BufferPlace first = planner.place(value, isAct ? "xq" : "x"),
              last = planner.place(value, isAct ? "xsum" : "x");
  return {first.offsetBytes, last.offsetBytes + (rows + 8) * last.rowBytes};
}

struct Build {
  const char *activations;
  std::vector<std::string> disabledPasses;
};

class BufferPlannerTest : public testing::TestWithParam<Build> {};

TEST_P(BufferPlannerTest, SharedMemoryIsNeverUsedTwiceAtOnce) {
  mlir::MLIRContext context;
  ModelSpec spec;
  spec.hiddenSize = 64, spec.ffnSize = 160, spec.layers = 2,
  spec.queryHeads = 2, spec.keyValueHeads = 1;
  spec.headWidth = 32, spec.vocabSize = 384, spec.maxPositions = 128,
  spec.ropeTheta = 1e4, spec.rmsNormEps = 1e-6;
  spec.qkNorm = true;
  auto module = importModel(context, spec, nullptr, {128, "f32", 0});
  ASSERT_TRUE(module);
  PipelineOptions options;
  options.format = "q8g32";
  options.activations = GetParam().activations;
  options.target = "avx2";
  options.disabledPasses = GetParam().disabledPasses;
  options.stop = Stop::Scheduled;
  Timings timings;
  ASSERT_EQ(runPipeline(*module, options, timings).status, PipelineStatus::Ok);

  for (auto step : module->getOps<mlir::func::FuncOp>()) {
    int64_t rows = step.getName() == "decode" ? 1 : kPrefillRows;
    BufferPlanner planner(step, rows);
    std::map<mlir::Operation *, int64_t> order, epoch;
    int64_t ops = 0, barriers = 0;
    std::vector<mlir::Value> values;
    for (mlir::Operation &op : step.getBody().front()) {
      barriers += llvm::isa<ir::BarrierOp>(op);
      order[&op] = ops++, epoch[&op] = barriers;
      if (ir::isCompute(&op))
        for (mlir::Value result : op.getResults())
          if (!llvm::isa<ir::CacheType>(result.getType()) &&
              llvm::none_of(result.getUsers(), [](auto *user) {
                return llvm::isa<mlir::func::ReturnOp>(user);
              }))
            values.push_back(result);
    }
    int64_t sharing = 0;
    for (mlir::Value a : values)
      for (mlir::Value b : values) {
        ir::Arena arena = planner.place(a, "xq").arena;
        if (a == b || arena != planner.place(b, "xq").arena)
          continue;
        Range first = bytesOf(planner, a, rows),
              second = bytesOf(planner, b, rows);
        int64_t size = arena == ir::Arena::Arena ? planner.arenaBytes()
                                                 : planner.scratchBytes();
        ASSERT_LE(first.end, size);
        if (first.end <= second.begin || second.end <= first.begin)
          continue;
        ++sharing;
        // One of them is done with before the other begins: by a barrier where
        // several threads are concerned.
        auto &time = arena == ir::Arena::Arena ? epoch : order;
        bool before = true, after = true;
        for (mlir::Operation *x : eventsOf(a))
          for (mlir::Operation *y : eventsOf(b)) {
            before &= time[x] < time[y];
            after &= time[x] > time[y];
          }
        EXPECT_TRUE(before || after)
            << step.getName().str() << ": " << ir::nameOf(a.getLoc()).str()
            << " and " << ir::nameOf(b.getLoc()).str();
      }
    EXPECT_GT(sharing, 0) << "a plan that never reuses memory proves nothing";
  }
}

INSTANTIATE_TEST_SUITE_P(Builds, BufferPlannerTest,
                         testing::Values(Build{"q8g32", {}}, Build{"f32", {}},
                                         Build{"q8g32",
                                               {"fuse-rope", "fuse-swiglu",
                                                "fuse-residual"}}));

} // namespace
} // namespace qwen
