// Tokenizer.cpp - the way of a text: added tokens out, NFC, words, byte pairs.
#include "runtime/core/Tokenizer.h"

#include "runtime/core/Detokenizer.h"
#include "runtime/core/Normalizer.h"
#include "runtime/core/PairMerger.h"
#include "runtime/core/Splitter.h"
#include "runtime/core/Utf8.h"

#include <algorithm>
#include <tuple>

namespace qwen {

std::string_view Tokenizer::bytes(int32_t id) const {
  if (!isToken(id))
    return {};
  return {reinterpret_cast<const char *>(tokenBytes) + offsets[id],
          offsets[id + 1] - offsets[id]};
}

void Tokenizer::indexAdded() {
  const auto *added = reinterpret_cast<const uint32_t *>(
      reinterpret_cast<const uint8_t *>(header) + header->added);
  addedByByte.assign(added, added + header->added_count);
  auto firstByte = [&](int32_t id) {
    return static_cast<uint8_t>(bytes(id)[0]);
  };
  auto byByteThenLongest = [&](int32_t a, int32_t b) {
    return std::tuple(firstByte(a), bytes(b).size(), a) <
           std::tuple(firstByte(b), bytes(a).size(), b);
  };
  std::sort(addedByByte.begin(), addedByByte.end(), byByteThenLongest);
  size_t at = 0;
  for (int byte = 0; byte < 256; ++byte) {
    firstAdded[byte] = static_cast<int32_t>(at);
    while (at < addedByByte.size() && firstByte(addedByByte[at]) == byte)
      ++at;
  }
  firstAdded[256] = static_cast<int32_t>(at);
}

std::optional<int32_t> Tokenizer::findAdded(std::string_view text) const {
  for (int32_t id : addedByByte)
    if (bytes(id) == text)
      return id;
  return std::nullopt;
}

/// The longest added token that `text`, not empty, starts with; -1 when there
/// is none.
int32_t Tokenizer::addedAt(std::string_view text) const {
  uint8_t byte = static_cast<uint8_t>(text[0]);
  for (int32_t i = firstAdded[byte]; i < firstAdded[byte + 1]; ++i)
    if (text.starts_with(bytes(addedByByte[i])))
      return addedByByte[i];
  return -1;
}

bool Tokenizer::encode(std::string_view text, bool parseSpecial,
                       std::vector<int32_t> &ids, int64_t *lookups) const {
  if (static_cast<int64_t>(text.size()) > kMaxTextBytes)
    return false;
  std::string repaired;
  if (validUtf8Prefix(text) != static_cast<int64_t>(text.size())) {
    repaired = replaceBrokenUtf8(text);
    text = repaired;
  }

  PairMerger merger(merges, header->merge_slots, header->byte_token);
  size_t start = 0, at = 0;
  while (at < text.size()) {
    int32_t id = addedAt(text.substr(at));
    if (id < 0) {
      ++at;
      continue;
    }
    size_t end = at + bytes(id).size();
    if (parseSpecial || !isSpecial(id)) {
      encodeStretch(text.substr(start, at - start), merger, ids);
      ids.push_back(id);
      start = end;
    }
    at = end; // a special token taken as text hides the shorter ones inside it,
              // as in the package
  }
  encodeStretch(text.substr(start), merger, ids);
  if (lookups)
    *lookups += merger.lookups();
  return true;
}

void Tokenizer::encodeStretch(std::string_view text, PairMerger &merger,
                              std::vector<int32_t> &ids) const {
  std::string normalized;
  if (header->normalization == 1) {
    normalized = normalizeNfc(text);
    text = normalized;
  }
  while (!text.empty()) {
    int64_t length = firstWordLength(text);
    merger.encode(text.substr(0, length), ids);
    text.remove_prefix(length);
  }
}

std::string Tokenizer::decode(const std::vector<int32_t> &ids,
                              bool skipSpecial) const {
  Detokenizer detokenizer(*this, skipSpecial);
  std::string text;
  for (int32_t id : ids)
    text += detokenizer.push(id);
  text += detokenizer.finish();
  return text;
}

} // namespace qwen
