// LayoutTest.cpp - the emitter's structure types lie in memory as the runtime's
// and Halide's C structures do. Run: unit_codegen_emit
// --gtest_filter='Layout.*'
#include "codegen/emit/LowerToLLVM.h"
#include "codegen/emit/StepEmitter.h"
#include "qwen/qwen.h"

#include "mlir/Target/LLVMIR/TypeToLLVM.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/LLVMContext.h"

#include "gtest/gtest.h"

#include <cstddef>

namespace qwen {
namespace {

/// Byte offsets of a structure's fields on x86-64, and its size at the end.
std::vector<uint64_t> offsetsOf(mlir::LLVM::LLVMStructType type) {
  llvm::LLVMContext context;
  auto *structure = llvm::cast<llvm::StructType>(
      mlir::LLVM::TypeToLLVMIRTranslator(context).translateType(type));
  llvm::DataLayout layout("e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:"
                          "128-f80:128-n8:16:32:64-S128");
  const llvm::StructLayout *fields = layout.getStructLayout(structure);
  std::vector<uint64_t> offsets;
  offsets.reserve(structure->getNumElements() + 1);
  for (unsigned i = 0; i < structure->getNumElements(); ++i)
    offsets.push_back(fields->getElementOffset(i));
  offsets.push_back(fields->getSizeInBytes());
  return offsets;
}

struct Layout : testing::Test {
  mlir::MLIRContext context;
  Layout() { context.loadDialect<mlir::LLVM::LLVMDialect>(); }
};

#define AT(field) offsetof(qwen_step_args, field)
TEST_F(Layout, StepArgs) {
  EXPECT_EQ(offsetsOf(stepArgsType(&context)),
            (std::vector<uint64_t>{
                AT(weights), AT(cache), AT(arena), AT(scratch), AT(counters),
                AT(team), AT(barrier), AT(ids), AT(tokens), AT(position),
                AT(logits_from), AT(rank), AT(margin), AT(thread), AT(threads),
                sizeof(qwen_step_args)}));
}
#undef AT

#define AT(field) offsetof(qwen_plan, field)
TEST_F(Layout, Plan) {
  EXPECT_EQ(offsetsOf(planType(&context)),
            (std::vector<uint64_t>{AT(abi_version),
                                   AT(barrier_spin_us),
                                   AT(fingerprint),
                                   AT(description),
                                   AT(target),
                                   AT(features),
                                   AT(hidden_size),
                                   AT(ffn_size),
                                   AT(layers),
                                   AT(query_heads),
                                   AT(key_value_heads),
                                   AT(head_width),
                                   AT(vocab_size),
                                   AT(context),
                                   AT(prefill_chunk),
                                   AT(logits_rows),
                                   AT(arena_bytes),
                                   AT(scratch_bytes),
                                   AT(cache_bytes),
                                   AT(weights_bytes),
                                   AT(counters),
                                   AT(logits_offset),
                                   AT(logits_stride),
                                   AT(argmax_offset),
                                   AT(decode_bytes),
                                   AT(cache_token_bytes),
                                   AT(screened_bytes),
                                   AT(rescored_row_bytes),
                                   AT(floor_offset),
                                   AT(decode),
                                   AT(prefill),
                                   AT(decode_screened),
                                   AT(taps),
                                   AT(next),
                                   sizeof(qwen_plan)}));
}
#undef AT

/// halide_buffer_t of HalideRuntime.h, Halide 21.
struct HalideBuffer {
  uint64_t device;
  const void *deviceInterface;
  uint8_t *host;
  uint64_t flags;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } type;
  int32_t dimensions;
  void *dim;
  void *padding;
};

TEST_F(Layout, HalideBuffer) {
  EXPECT_EQ(
      offsetsOf(bufferType(&context)),
      (std::vector<uint64_t>{
          offsetof(HalideBuffer, device),
          offsetof(HalideBuffer, deviceInterface), offsetof(HalideBuffer, host),
          offsetof(HalideBuffer, flags), offsetof(HalideBuffer, type),
          offsetof(HalideBuffer, dimensions), offsetof(HalideBuffer, dim),
          offsetof(HalideBuffer, padding), sizeof(HalideBuffer)}));
}

} // namespace
} // namespace qwen
