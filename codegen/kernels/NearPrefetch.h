// NearPrefetch.h - what `Stage::prefetch` asks for, into the second level of
// cache.
#pragma once

#include "Halide.h"

namespace qwen::codegen {

/// A lowering pass: Halide's prefetches become `prefetcht1`, one a line. By
/// themselves they are `prefetchnta`, whose lines pass by the second and, where
/// that is filled from the second, the last level: they come from memory
/// however large that is. The first level has no room for what is asked for so
/// long ahead: two blocks of keys and values in f16 are 32 KB.
class NearPrefetch : public Halide::Internal::IRMutator {
protected:
  using IRMutator::visit;
  Halide::Internal::Stmt visit(const Halide::Internal::For *op) override;
  Halide::Internal::Stmt visit(const Halide::Internal::Evaluate *op) override;
};

} // namespace qwen::codegen
