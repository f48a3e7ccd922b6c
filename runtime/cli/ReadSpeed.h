// ReadSpeed.h - how fast this machine reads memory: the roof that decoding is
// held against.
#ifndef QWEN_RUNTIME_CLI_READSPEED_H
#define QWEN_RUNTIME_CLI_READSPEED_H

#include "runtime/core/Pages.h"
#include "runtime/core/Team.h"

#include <cstdint>

namespace qwen {

/// A buffer much larger than the caches, read from end to end by a team.
class ReadSpeed {
public:
  /// kSystem if there is no memory for the buffer.
  static Result<ReadSpeed> create(Team &team);

  /// Bytes in the buffer.
  int64_t bytes() const { return buffer_.bytes(); }

  /// GB/s (10^9 bytes) of one pass, repeated until `seconds` are over.
  double measure(Team &team, double seconds) const;

private:
  Pages buffer_;
};

/// Seconds since some fixed time.
double nowSeconds();

} // namespace qwen

#endif
