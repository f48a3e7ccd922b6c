// PairMerger.cpp - a scan for short words, a heap over a linked list for long
// ones; both take the same merges.
#include "runtime/core/PairMerger.h"

#include <algorithm>
#include <functional>

namespace qwen {
namespace {

constexpr uint32_t kNoRank = UINT32_MAX;
// Words up to this length are scanned for their best pair: quicker than a heap,
// and still a bounded number of steps.
constexpr size_t kScanLength = 32;

} // namespace

void PairMerger::findPair(Symbol &symbol) {
  symbol.rank = kNoRank;
  if (symbol.next < 0)
    return;
  ++lookupCount;
  uint32_t left = symbol.token, right = symbols[symbol.next].token;
  uint32_t slot = qwen_merge_hash(left, right, slots);
  for (uint32_t probe = 0; probe < QWEN_MERGE_PROBES;
       ++probe, slot = (slot + 1) & (slots - 1)) {
    const qwen_merge &merge = merges[slot];
    if (merge.left == UINT32_MAX)
      return;
    if (merge.left == left && merge.right == right) {
      symbol.rank = merge.rank;
      symbol.merged = merge.merged;
      return;
    }
  }
}

void PairMerger::encode(std::string_view word, std::vector<int32_t> &ids) {
  int32_t size = static_cast<int32_t>(word.size());
  symbols.resize(size);
  for (int32_t i = 0; i < size; ++i)
    symbols[i] = {byteTokens[static_cast<uint8_t>(word[i])], i - 1,
                  i + 1 < size ? i + 1 : -1, kNoRank, 0};
  for (Symbol &symbol : symbols)
    findPair(symbol);
  if (symbols.size() <= kScanLength)
    encodeByScan(ids);
  else
    encodeByHeap(ids);
}

void PairMerger::encodeByScan(std::vector<int32_t> &ids) {
  while (true) {
    size_t best = 0;
    for (size_t i = 1; i < symbols.size(); ++i)
      if (symbols[i].rank < symbols[best].rank)
        best = i;
    if (symbols.empty() || symbols[best].rank == kNoRank)
      break;
    symbols[best].token = symbols[best].merged;
    symbols.erase(symbols.begin() + best + 1);
    // Neighbours are adjacent here: only the sign of `next` and the position
    // count.
    auto refresh = [&](size_t i) {
      symbols[i].next =
          i + 1 < symbols.size() ? static_cast<int32_t>(i + 1) : -1;
      findPair(symbols[i]);
    };
    refresh(best);
    if (best > 0)
      refresh(best - 1);
  }
  for (const Symbol &symbol : symbols)
    ids.push_back(static_cast<int32_t>(symbol.token));
}

void PairMerger::pushPair(int32_t index) {
  Symbol &symbol = symbols[index];
  findPair(symbol);
  if (symbol.rank == kNoRank)
    return;
  heap.push_back(static_cast<uint64_t>(symbol.rank) << 32 |
                 static_cast<uint32_t>(index));
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

void PairMerger::encodeByHeap(std::vector<int32_t> &ids) {
  heap.clear();
  for (size_t i = 0; i < symbols.size(); ++i)
    if (symbols[i].rank != kNoRank)
      heap.push_back(static_cast<uint64_t>(symbols[i].rank) << 32 | i);
  std::make_heap(heap.begin(), heap.end(), std::greater<>());

  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    uint64_t entry = heap.back();
    heap.pop_back();
    int32_t index = static_cast<int32_t>(entry & UINT32_MAX);
    Symbol &symbol = symbols[index];
    if (symbol.rank != entry >> 32)
      continue; // the pair has changed since it was pushed
    Symbol &gone = symbols[symbol.next];
    gone.rank = kNoRank;
    symbol.token = symbol.merged;
    symbol.next = gone.next;
    if (symbol.next >= 0)
      symbols[symbol.next].previous = index;
    pushPair(index);
    if (symbol.previous >= 0)
      pushPair(symbol.previous);
  }
  for (int32_t i = 0; i >= 0; i = symbols[i].next)
    ids.push_back(static_cast<int32_t>(symbols[i].token));
}

} // namespace qwen
