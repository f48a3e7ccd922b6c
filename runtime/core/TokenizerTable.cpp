// TokenizerTable.cpp - opening a tokenizer table: after it, no offset, size or
// id in the table can mislead a reader.
#include "runtime/core/Tokenizer.h"

#include <cstring>

namespace qwen {
namespace {

/// Checks one table of a section, and says what is wrong with the first bad
/// thing.
class TableCheck {
public:
  explicit TableCheck(const uint8_t *table) : table(table) {}

  const qwen_tokenizer_header &header() const {
    return *reinterpret_cast<const qwen_tokenizer_header *>(table);
  }

  bool fail(const std::string &what) {
    error = "the tokenizer table is damaged: " + what;
    return false;
  }

  /// `count` elements of `width` bytes at `offset` lie inside the section,
  /// aligned.
  bool within(const char *name, uint64_t offset, uint64_t count,
              uint64_t width) {
    uint64_t size = header().bytes;
    if (offset % 8 == 0 && offset >= sizeof(qwen_tokenizer_header) &&
        offset <= size && count <= (size - offset) / width)
      return true;
    return fail(std::string(name) + " at byte " + std::to_string(offset) +
                ", " + std::to_string(count) + " of " + std::to_string(width) +
                " bytes, do not fit the section's " + std::to_string(size));
  }

  const uint32_t *words(uint64_t offset) const {
    return reinterpret_cast<const uint32_t *>(table + offset);
  }

  std::string_view token(uint32_t id) const {
    const uint32_t *offsets = words(header().token_offsets);
    return {reinterpret_cast<const char *>(table) + header().token_bytes +
                offsets[id],
            offsets[id + 1] - offsets[id]};
  }

  bool shape(size_t sectionBytes);
  bool tokens();
  bool merges();
  bool added();

  std::string error;

private:
  const uint8_t *table;
};

bool TableCheck::shape(size_t sectionBytes) {
  if (reinterpret_cast<uintptr_t>(table) % alignof(qwen_tokenizer_header) != 0)
    return fail("it is not aligned to 8 bytes");
  if (sectionBytes < sizeof(qwen_tokenizer_header))
    return fail("its " + std::to_string(sectionBytes) +
                " bytes are fewer than a header's " +
                std::to_string(sizeof(qwen_tokenizer_header)));
  const qwen_tokenizer_header &h = header();
  if (std::memcmp(h.magic, QWEN_TOKENIZER_MAGIC, sizeof h.magic) != 0)
    return fail("it does not start with `" QWEN_TOKENIZER_MAGIC "`");
  if (h.bytes > sectionBytes)
    return fail("it claims " + std::to_string(h.bytes) +
                " bytes of a section of " + std::to_string(sectionBytes));
  if (h.vocab_size == 0 || h.vocab_size > INT32_MAX)
    return fail("its vocabulary size is " + std::to_string(h.vocab_size));
  if (h.merge_slots == 0 || (h.merge_slots & (h.merge_slots - 1)) != 0)
    return fail("its number of merge slots, " + std::to_string(h.merge_slots) +
                ", is no power of two");
  if (h.normalization > 1)
    return fail("its normalization is " + std::to_string(h.normalization));
  return within("token offsets", h.token_offsets, uint64_t(h.vocab_size) + 1,
                4) &&
         within("token bytes", h.token_bytes, 0, 1) &&
         within("token flags", h.token_flags, h.vocab_size, 1) &&
         within("merges", h.merges, h.merge_slots, sizeof(qwen_merge)) &&
         within("added tokens", h.added, h.added_count, 4);
}

bool TableCheck::tokens() {
  const qwen_tokenizer_header &h = header();
  const uint32_t *offsets = words(h.token_offsets);
  for (uint32_t id = 0; id < h.vocab_size; ++id)
    if (offsets[id] > offsets[id + 1])
      return fail("token " + std::to_string(id) + " ends before it starts");
  if (!within("token bytes", h.token_bytes, offsets[h.vocab_size], 1))
    return false;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t id = h.byte_token[byte];
    if (id >= h.vocab_size || token(id).size() != 1 ||
        static_cast<uint8_t>(token(id)[0]) != byte)
      return fail("byte " + std::to_string(byte) + " has no token of its own");
  }
  return true;
}

bool TableCheck::merges() {
  const qwen_tokenizer_header &h = header();
  const auto *slots = reinterpret_cast<const qwen_merge *>(table + h.merges);
  for (uint32_t slot = 0; slot < h.merge_slots; ++slot) {
    const qwen_merge &merge = slots[slot];
    if (merge.left == UINT32_MAX)
      continue;
    bool sound = merge.left < h.vocab_size && merge.right < h.vocab_size &&
                 merge.merged < h.vocab_size && merge.rank != UINT32_MAX;
    if (sound) {
      std::string_view left = token(merge.left), right = token(merge.right),
                       merged = token(merge.merged);
      uint32_t home = qwen_merge_hash(merge.left, merge.right, h.merge_slots);
      sound = ((slot - home) & (h.merge_slots - 1)) < QWEN_MERGE_PROBES &&
              merged.size() == left.size() + right.size() &&
              merged.starts_with(left) && merged.ends_with(right);
    }
    if (!sound)
      return fail("merge slot " + std::to_string(slot) + " joins tokens " +
                  std::to_string(merge.left) + " and " +
                  std::to_string(merge.right) + " to " +
                  std::to_string(merge.merged));
  }
  return true;
}

bool TableCheck::added() {
  const qwen_tokenizer_header &h = header();
  const uint32_t *ids = words(h.added);
  const uint8_t *flags = table + h.token_flags;
  for (uint32_t i = 0; i < h.added_count; ++i) {
    bool sound = ids[i] < h.vocab_size && !token(ids[i]).empty() &&
                 (flags[ids[i]] & QWEN_TOKEN_ADDED) &&
                 !(flags[ids[i]] & QWEN_TOKEN_UNUSED) &&
                 (i == 0 || token(ids[i]).size() <= token(ids[i - 1]).size());
    if (!sound)
      return fail("added token " + std::to_string(i) + " is token " +
                  std::to_string(ids[i]));
  }
  return true;
}

} // namespace

Result<Tokenizer> Tokenizer::open(const uint8_t *table, size_t size) {
  TableCheck check(table);
  if (!check.shape(size) || !check.tokens() || !check.merges() ||
      !check.added())
    return Status(Code::kInvalid, check.error);
  Tokenizer tokenizer;
  tokenizer.header = &check.header();
  tokenizer.offsets = check.words(check.header().token_offsets);
  tokenizer.tokenBytes = table + check.header().token_bytes;
  tokenizer.flags = table + check.header().token_flags;
  tokenizer.merges =
      reinterpret_cast<const qwen_merge *>(table + check.header().merges);
  tokenizer.indexAdded();
  return tokenizer;
}

} // namespace qwen
