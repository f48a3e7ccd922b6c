// Timing.h - clock, read rate, and weights and key/value caches that no
// cache of the CPU holds, for programs that measure kernels.
#pragma once

#include "codegen/kernels/Trial.h"

#include <cstdint>
#include <vector>

namespace qwen {

/// Time of the wall, or of this thread alone: on a shared machine, one thread's
/// own time leaves out what others took of its core.
double seconds(bool own = false);

double median(std::vector<double> values);

/// Sums all bytes in wide vectors; the sum keeps the loads alive.
uint64_t readAll(const uint8_t *bytes, int64_t size);

/// What a call streams (`Trial::streamed`), many times over in one mapping,
/// streams one after the other as in a weights file and in pages as the runtime
/// maps them. Throws KernelError when there is no memory.
class InputCopies {
public:
  InputCopies(const codegen::Trial &trial, int64_t wantedBytes);
  ~InputCopies();
  InputCopies(const InputCopies &) = delete;
  InputCopies &operator=(const InputCopies &) = delete;

  int64_t size() const { return count * chunkBytes; }
  /// `hosts` with the inputs of one copy in place of its own.
  void place(int64_t chunk, std::vector<uint8_t *> &hosts) const;

  int64_t count = 1, chunkBytes = 0;
  uint8_t *bytes = nullptr;

private:
  std::vector<codegen::Trial::Streamed> inputs;
};

} // namespace qwen
