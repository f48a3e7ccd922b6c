// NearPrefetch.cpp - rewrites Call::prefetch after Halide has split it by
// lines.
#include "codegen/kernels/NearPrefetch.h"

namespace qwen::codegen {

using namespace Halide;
using namespace Halide::Internal;

namespace {
constexpr int64_t kMostBlocks = 4; // of a plane, in an iteration
} // namespace

Stmt NearPrefetch::visit(const For *op) {
  Stmt body = mutate(op->body);
  const auto first = as_const_int(op->min), count = as_const_int(op->extent);
  // Halide/src/Prefetch.cpp, ReducePrefetchDimension and SplitPrefetch.
  const bool overBlocks = op->name.rfind("prefetch_reduce_", 0) == 0,
             overLines = op->name.rfind("prefetch_split_", 0) == 0;
  if (!first || !count || !(overLines || (overBlocks && *count <= kMostBlocks)))
    return For::make(op->name, op->min, op->extent, op->for_type,
                     op->partition_policy, op->device_api, body);
  Stmt all;
  for (int64_t i = *count; i-- > 0;) {
    Stmt one = substitute(op->name, Expr(int32_t(*first + i)), body);
    all = all.defined() ? Block::make(one, all) : one;
  }
  return all;
}

Stmt NearPrefetch::visit(const Evaluate *op) {
  const Call *call = Call::as_intrinsic(op->value, {Call::prefetch});
  if (!call)
    return IRMutator::visit(op);
  Expr address = reinterpret(UInt(64), call->args[0]) +
                 cast<uint64_t>(call->args[1] * call->type.bytes());
  // LLVM's: to read, from the second level on, data.
  constexpr int kRead = 0, kSecondLevel = 2, kData = 1;
  return Evaluate::make(
      Call::make(Int(32), "llvm.prefetch.p0",
                 {reinterpret(Handle(), address), kRead, kSecondLevel, kData},
                 Call::Extern));
}

} // namespace qwen::codegen
