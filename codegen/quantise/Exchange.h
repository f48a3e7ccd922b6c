// Exchange.h - which of its formats each part of a model gets when all of them
// together may have only so many bytes.
#pragma once

#include <cstdint>
#include <vector>

namespace qwen::quantise {

/// One format of a part: what it costs.
struct Choice {
  int64_t bytes;
  double loss;
};

/// For each part the index of one of its choices (at least one). Starts with
/// the fewest bytes, then makes the exchange that saves most loss a byte, as
/// long as one fits; last, exchanges of two parts that lose less in the same
/// bytes. With fewer bytes than the least, that is what it gives.
std::vector<int64_t>
exchangeFormats(const std::vector<std::vector<Choice>> &parts, int64_t bytes);

} // namespace qwen::quantise
