// NearPrefetch.h - what `Stage::prefetch` asks for, into every level of cache.
#pragma once

#include "Halide.h"

namespace qwen::codegen {

/// A lowering pass: Halide's prefetches become `prefetcht0`, one a line. By
/// themselves they are `prefetchnta`, whose lines pass by the second and, where
/// that is filled from the second, the last level: they come from memory
/// however large that is.
class NearPrefetch : public Halide::Internal::IRMutator {
protected:
  using IRMutator::visit;
  Halide::Internal::Stmt visit(const Halide::Internal::For *op) override;
  Halide::Internal::Stmt visit(const Halide::Internal::Evaluate *op) override;
};

} // namespace qwen::codegen
