// Pages.h - memory mapped by pages: zeroed, committed only when touched.
#ifndef QWEN_RUNTIME_CORE_PAGES_H
#define QWEN_RUNTIME_CORE_PAGES_H

#include "runtime/core/Status.h"

#include <cstdint>

namespace qwen {

constexpr int64_t kPageBytes = 4096;
constexpr int64_t kHugePageBytes = 2 << 20;

constexpr int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// An anonymous mapping, freed with the object; starts at a page, at a huge one
/// if it is at least as large.
class Pages {
public:
  Pages() = default;
  Pages(Pages &&other) noexcept;
  Pages &operator=(Pages &&other) noexcept;
  ~Pages();

  /// `what` names the memory in the error (kSystem) if the system has no room
  /// for it.
  static Result<Pages> allocate(int64_t bytes, const char *what);

  uint8_t *data() const { return data_; }
  int64_t bytes() const { return bytes_; }

  /// Asks the system for huge pages for what is touched from here on.
  void preferHuge();

  /// Asks for one where a part of the memory, `offset` bytes from its start, is
  /// in use by smaller pages. Whatever the system grants, the contents stay.
  /// Finding the memory takes a virtual machine's host 0.2 to 6 ms.
  void moveToHuge(int64_t offset);

  /// Fills everything with 0xff: NaN as f32 and as f16, so that a read before a
  /// write shows in the results.
  void poison();

private:
  void *mapping_ = nullptr; // from here to the end of the data
  uint8_t *data_ = nullptr;
  int64_t bytes_ = 0;
};

} // namespace qwen

#endif
