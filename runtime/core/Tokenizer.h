// Tokenizer.h - text to token ids and back, over the mapped table of a weights
// file.
//
// Source  the `tokenizers` package on the same tokenizer.json: ids are equal
#pragma once

#include "runtime/core/Status.h"

#include <cstdint>
#include <optional>
#include <qwen/qwen.h>
#include <string>
#include <string_view>
#include <vector>

namespace qwen {

class Tokenizer {
public:
  /// The tokenizer in the `size` bytes at `table`, which must stay mapped.
  /// Every offset, size and id in it is checked here, once; Code::kInvalid when
  /// one is wrong.
  static Result<Tokenizer> open(const uint8_t *table, size_t size);

  /// Longest text that `encode` takes: NFC can make it three times as long.
  static constexpr int64_t kMaxTextBytes = INT32_MAX / 4;

  /// Appends the ids of `text`. Broken UTF-8 counts as U+FFFD, one for each
  /// maximal broken part. Special tokens spelled out in the text are taken as
  /// such only with `parseSpecial`; other added tokens always are. False, and
  /// nothing appended, when the text is longer than kMaxTextBytes.
  ///
  /// If `lookups` is given, the number of pairs looked up is added to it.
  bool encode(std::string_view text, bool parseSpecial,
              std::vector<int32_t> &ids, int64_t *lookups = nullptr) const;

  /// The text of `ids`: broken UTF-8 becomes U+FFFD, ids that are no token are
  /// skipped.
  std::string decode(const std::vector<int32_t> &ids, bool skipSpecial) const;

  /// Ids are 0 .. size() - 1; a model's rows beyond are padding.
  int32_t size() const { return static_cast<int32_t>(header->vocab_size); }
  bool isToken(int32_t id) const {
    return id >= 0 && id < size() && !(flags[id] & QWEN_TOKEN_UNUSED);
  }
  bool isSpecial(int32_t id) const {
    return isToken(id) && (flags[id] & QWEN_TOKEN_SPECIAL);
  }
  /// The raw bytes of a token, which need not be UTF-8; empty when `id` is no
  /// token.
  std::string_view bytes(int32_t id) const;
  /// The id of an added token by its text.
  std::optional<int32_t> findAdded(std::string_view text) const;

private:
  Tokenizer() = default;
  void encodeStretch(std::string_view text, class PairMerger &merger,
                     std::vector<int32_t> &ids) const;
  int32_t addedAt(std::string_view text) const;
  void indexAdded();

  const qwen_tokenizer_header *header = nullptr;
  const uint32_t *offsets = nullptr;
  const uint8_t *tokenBytes = nullptr;
  const uint8_t *flags = nullptr;
  const qwen_merge *merges = nullptr;
  // Added tokens by first byte, each list longest first:
  // addedByByte[firstAdded[b] .. firstAdded[b + 1]).
  std::vector<int32_t> addedByByte;
  int32_t firstAdded[257] = {};
};

} // namespace qwen
