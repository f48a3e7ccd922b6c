// Roof.h - the least time a call can take on this machine: bytes over the read
// rate, or multiplications over the multipliers' rate.
#pragma once

#include "codegen/catalog/Catalog.h"

#include <cstdint>

namespace qwen {

/// Of one core, measured.
struct Roof {
  double bytesPerSecond = 0;  // read from memory
  double floatProducts = 0;   // f32 multiply-adds a second
  double integerProducts = 0; // i8 multiply-adds a second

  double microseconds(int64_t bytes, int64_t products, bool integers) const;
};

/// Takes about a tenth of a second; with the target's vectors, and its dot
/// products of bytes if it has them.
Roof measureRoof(const CatalogTarget &target);

} // namespace qwen
