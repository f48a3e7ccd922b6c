// StepTest.cpp - emitted steps, run: every call is made once, with the pointers
// and scalars that its slots say. Run: unit_codegen_emit
// --gtest_filter='Step.*'
#include "codegen/catalog/Catalog.h"
#include "codegen/emit/LowerToLLVM.h"
#include "codegen/emit/ObjectFile.h"
#include "passes/ir/QwenOps.h"
#include "qwen/qwen.h"

#include "mlir/Parser/Parser.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <mutex>
#include <thread>

namespace qwen {
namespace {

struct Descriptor { // of halide_buffer_t, only `host` may be set
  uint64_t device;
  void *deviceInterface;
  uint8_t *host;
  uint64_t rest[4];
};

struct Call {
  int64_t input, weight, output; // byte offsets in the arena and in the weights
  int32_t tokens, position;
  float eps;
  auto operator<=>(const Call &) const = default;
};

alignas(64) uint8_t arena[1 << 16], weights[1 << 12], scratch[4][1 << 12];
std::mutex mutex;
std::vector<Call> calls;
std::atomic<int64_t> fewCalls = 0; // of `calls`
std::vector<int64_t> scratchOffsets;

int32_t recordShared(Descriptor *x, Descriptor *w, int32_t tokens,
                     int32_t position, float eps, Descriptor *y) {
  std::lock_guard lock(mutex);
  calls.push_back({x->host - arena, w->host - weights, y->host - arena, tokens,
                   position, eps});
  return 0;
}

int32_t recordFew(Descriptor *x, Descriptor *w, int32_t tokens,
                  int32_t position, float eps, Descriptor *y) {
  ++fewCalls;
  return recordShared(x, w, tokens, position, eps, y);
}

int32_t recordOwn(Descriptor *x, int32_t tokens, Descriptor *y) {
  std::lock_guard lock(mutex);
  scratchOffsets.push_back(y->host - &scratch[0][0]);
  return 0;
}

constexpr const char *kProgram = R"mlir(
module attributes {qwen.plan = #qwen.plan<weightsBytes = 4096, cacheBytes = 8192, arenaBytes = 65536,
    scratchBytes = 4096, counters = 3, prefillChunk = 20, logitsRows = 20, logitsOffset = 1024, logitsStride = 32,
    argmaxOffset = 512>} {
  qwen.packed_weight "w" at 0 : !qwen.weight<[16], "f32", "vec">
  qwen.step @decode tokens 1 {
    qwen.dispatch "qk_own" replicated rows all chunks 2 block 0 counter -1 in [#qwen.slot<arena, 0>]
      scalars [#qwen.scalar<tokens>] out [#qwen.slot<scratch, 64 chunk = 32>]
    qwen.barrier
    qwen.dispatch "qk_shared" shared rows all chunks 5 block 0 counter 2
      in [#qwen.slot<arena, 128 token = 8>, #qwen.slot<weights, 64 chunk = 256>]
      scalars [#qwen.scalar<tokens>, #qwen.scalar<position>, #qwen.scalar<constant, 5.0e-01 : f32>]
      out [#qwen.slot<arena, 4096 chunk = 16>]
  }
  qwen.step @prefill tokens 0 {
    qwen.dispatch "qk_shared" shared rows all chunks 2 block 8 counter 0
      in [#qwen.slot<arena, 0 token = 64>, #qwen.slot<weights, 32 chunk = 16 token = 4 position = 4>]
      scalars [#qwen.scalar<tokens>, #qwen.scalar<position>, #qwen.scalar<constant, 5.0e-01 : f32>]
      out [#qwen.slot<arena, 4096 chunk = 32 token = 64>]
    qwen.barrier
    qwen.dispatch "qk_many" few "qk_few" shared rows tail chunks 1 block 0 counter 1
      in [#qwen.slot<arena, 0 token = 64 first = 64>, #qwen.slot<weights, 0>]
      scalars [#qwen.scalar<tokens>, #qwen.scalar<position>, #qwen.scalar<constant, 5.0e-01 : f32>]
      out [#qwen.slot<arena, 8192 token = 64>]
  }
}
)mlir";

struct Step : testing::Test {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  const qwen_plan *plan = nullptr;
  alignas(64) uint64_t counters[3 * 8] = {};
  std::atomic<int64_t> barriers = 0;
  std::optional<std::barrier<>> team;

  void SetUp() override {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    context.loadDialect<ir::QwenDialect, mlir::LLVM::LLVMDialect>();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(kProgram, &context);
    ASSERT_TRUE(module);
    PlanFacts facts{
        R"({"a":1})", "x86_64", {"avx2", "fma"}, 1, 2, 3, 4, 5, 6, 7,
        64,           0,        kPlanSymbol,     ""};
    lowerToLLVM(*module, facts, Fingerprint{9, 8, 7});
    auto llvmContext = std::make_unique<llvm::LLVMContext>();
    auto code = translateToLLVMIR(*module, *llvmContext, hostTriple());
    ASSERT_TRUE(bool(code)) << llvm::toString(code.takeError());

    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    jit = cantFail(llvm::orc::LLJITBuilder().create());
    llvm::orc::SymbolMap kernels;
    auto define = [&](const char *name, auto *function) {
      kernels[jit->mangleAndIntern(name)] = {
          llvm::orc::ExecutorAddr::fromPtr(function),
          llvm::JITSymbolFlags::Exported};
    };
    define("qk_shared", &recordShared);
    define("qk_many", &recordShared);
    define("qk_few", &recordFew);
    define("qk_own", &recordOwn);
    cantFail(
        jit->getMainJITDylib().define(llvm::orc::absoluteSymbols(kernels)));
    cantFail(jit->addIRModule(
        llvm::orc::ThreadSafeModule(std::move(*code), std::move(llvmContext))));
    plan = cantFail(jit->lookup("qwen_model_plan")).toPtr<const qwen_plan *>();
    calls.clear();
    fewCalls = 0;
    scratchOffsets.clear();
  }

  void run(qwen_step_fn step, int64_t tokens, int64_t position, int64_t first,
           int64_t threads) {
    std::ranges::fill(counters, 0);
    team.emplace(threads);
    std::vector<std::thread> members;
    members.reserve(threads);
    for (int64_t thread = 0; thread < threads; ++thread)
      members.emplace_back([=, this] {
        qwen_step_args args = {.weights = weights,
                               .cache = nullptr,
                               .arena = arena,
                               .scratch = scratch[thread],
                               .counters = counters,
                               .team = this,
                               .barrier = wait,
                               .ids = nullptr,
                               .tokens = tokens,
                               .position = position,
                               .logits_from = first,
                               .rank = 0,
                               .margin = 0,
                               .thread = thread,
                               .threads = threads};
        step(&args);
      });
    for (std::thread &member : members)
      member.join();
    std::ranges::sort(calls);
  }

  static void wait(void *self, int64_t thread) {
    auto *step = static_cast<Step *>(self);
    ++step->barriers;
    step->team->arrive_and_wait();
  }
};

TEST_F(Step, PlanHoldsItsNumbers) {
  EXPECT_EQ(plan->abi_version, QWEN_ABI_VERSION);
  EXPECT_EQ(plan->fingerprint[0], 9);
  EXPECT_STREQ(plan->description, R"({"a":1})");
  EXPECT_STREQ(plan->target, "x86_64");
  EXPECT_STREQ(plan->features, "avx2,fma");
  EXPECT_EQ(plan->hidden_size, 1);
  EXPECT_EQ(plan->vocab_size, 7);
  EXPECT_EQ(plan->context, 64);
  EXPECT_EQ(plan->prefill_chunk, 20);
  EXPECT_EQ(plan->counters, 3);
  EXPECT_EQ(plan->logits_offset, 1024);
  EXPECT_EQ(plan->argmax_offset, 512);
  EXPECT_EQ(plan->decode_bytes, 5 * 256);
  EXPECT_EQ(plan->cache_token_bytes, 8192 / 64);
}

TEST_F(Step, DecodeClaimsEveryChunkOnce) {
  for (int64_t threads : {1, 3}) {
    calls.clear();
    scratchOffsets.clear();
    barriers = 0;
    run(plan->decode, 1, 11, 0, threads);
    std::vector<Call> expected;
    expected.reserve(5);
    for (int64_t chunk = 0; chunk < 5; ++chunk)
      expected.push_back(
          {128, 64 + 256 * chunk, 4096 + 16 * chunk, 1, 11, 0.5f});
    EXPECT_EQ(calls, expected);
    EXPECT_EQ(barriers, threads);
    // Every thread makes all calls of its own dispatch.
    std::ranges::sort(scratchOffsets);
    std::vector<int64_t> own;
    for (int64_t thread = 0; thread < threads; ++thread)
      own.insert(own.end(), {4096 * thread + 64, 4096 * thread + 96});
    EXPECT_EQ(scratchOffsets, own);
  }
}

TEST_F(Step, PrefillCutsRowsIntoBlocks) {
  run(plan->prefill, 19, 5, 17, 3);
  std::vector<Call> expected;
  for (int64_t row : {0, 8, 16})
    for (int64_t chunk : {0, 1})
      expected.push_back({64 * row, 32 + 16 * chunk + 4 * row + 4 * 5,
                          4096 + 32 * chunk + 64 * row, row == 16 ? 3 : 8,
                          int32_t(5 + row), 0.5f});
  expected.push_back(
      {64 * 17, 0, 8192, 2, 5 + 17, 0.5f}); // the tail's two rows, in one call
  std::ranges::sort(expected);
  EXPECT_EQ(calls, expected);
}

TEST_F(Step, FewRowsHaveTheirOwnKernel) {
  run(plan->prefill, kFewTokens + 4, 0, 3, 2);
  EXPECT_EQ(fewCalls, 0);
  run(plan->prefill, kFewTokens + 4, 0, 4, 2);
  EXPECT_EQ(fewCalls, 1);
  const auto tail = std::ranges::find(calls, kFewTokens, &Call::tokens);
  ASSERT_NE(tail, calls.end());
  EXPECT_EQ(tail->output, 8192);
}

TEST_F(Step, AnEmptyTailIsNotComputed) {
  run(plan->prefill, 4, 0, 4, 2);
  EXPECT_EQ(calls.size(), 2u); // one block of two chunks, all rows
  for (const Call &call : calls)
    EXPECT_EQ(call.tokens, 4);
}

} // namespace
} // namespace qwen
