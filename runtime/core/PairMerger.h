// PairMerger.h - byte-pair encoding of one word.
//
// Source  Sennrich et al. 2016; `tokenizers`, models/bpe/word.rs
// (Word::merge_all), which it must equal
#pragma once

#include <cstdint>
#include <qwen/qwen.h>
#include <string_view>
#include <vector>

namespace qwen {

/// Merges the pair of lowest rank, the leftmost of equal ones, until no pair of
/// neighbours merges.
///
/// O(n log n) in the bytes of a word. The buffers live from word to word.
class PairMerger {
public:
  /// The table and the ids of the single bytes stay the caller's; every slot is
  /// sound (Tokenizer::open).
  PairMerger(const qwen_merge *merges, uint32_t slots,
             const uint32_t *byteTokens)
      : merges(merges), slots(slots), byteTokens(byteTokens) {}

  /// Appends the ids of `word`, shorter than 2^31 bytes.
  void encode(std::string_view word, std::vector<int32_t> &ids);

  /// Pairs looked up so far: a measure of the work done that needs no clock.
  int64_t lookups() const { return lookupCount; }

private:
  struct Symbol {
    uint32_t token;
    int32_t previous, next; // -1 at the ends
    uint32_t rank,
        merged; // of the pair with `next`; kNoRank when it does not merge
  };

  void findPair(Symbol &symbol);
  void encodeByScan(std::vector<int32_t> &ids);
  void encodeByHeap(std::vector<int32_t> &ids);
  void pushPair(int32_t index);

  const qwen_merge *merges;
  uint32_t slots;
  const uint32_t *byteTokens;
  std::vector<Symbol> symbols;
  std::vector<uint64_t>
      heap; // rank, then index: the least is the next to merge
  int64_t lookupCount = 0;
};

} // namespace qwen
