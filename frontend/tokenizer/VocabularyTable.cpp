// VocabularyTable.cpp - ids and ranks in, one block of bytes out.
#include "frontend/tokenizer/VocabularyTable.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <qwen/qwen.h>

namespace qwen {
namespace {

uint64_t pairKey(int64_t left, int64_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right);
}

constexpr size_t kSparsest =
    32; // times as many slots as merges; sparser tables than this do not help

size_t largestTable(size_t merges) {
  return std::bit_ceil(std::max<size_t>(merges, 32) * kSparsest);
}

/// The merges in the smallest power-of-two table, at most three quarters full,
/// in which none lies too far from its hash; empty when there is none.
std::vector<qwen_merge> hashMerges(const std::vector<qwen_merge> &merges) {
  constexpr qwen_merge kEmpty = {UINT32_MAX, UINT32_MAX, UINT32_MAX,
                                 UINT32_MAX};
  size_t slots = 2;
  while (slots * 3 < merges.size() * 4)
    slots *= 2;
  for (; slots <= largestTable(merges.size()); slots *= 2) {
    std::vector<qwen_merge> table(slots, kEmpty);
    bool fits = true;
    for (const qwen_merge &merge : merges) {
      uint32_t slot = qwen_merge_hash(merge.left, merge.right,
                                      static_cast<uint32_t>(slots));
      uint32_t probes = 0;
      while (probes < QWEN_MERGE_PROBES && table[slot].left != UINT32_MAX) {
        slot = (slot + 1) & (slots - 1);
        ++probes;
      }
      fits = probes < QWEN_MERGE_PROBES;
      if (!fits)
        break;
      table[slot] = merge;
    }
    if (fits)
      return table;
  }
  return {};
}

/// Appends a table at the next multiple of 8 and returns its offset.
template <typename T>
uint64_t append(std::vector<uint8_t> &section, const std::vector<T> &table) {
  section.resize((section.size() + 7) / 8 * 8);
  uint64_t offset = section.size();
  const auto *bytes = reinterpret_cast<const uint8_t *>(table.data());
  section.insert(section.end(), bytes, bytes + table.size() * sizeof(T));
  return offset;
}

} // namespace

bool VocabularyTable::addToken(int64_t id, std::string_view name,
                               std::string bytes, uint8_t flags,
                               const SourcePosition &at) {
  auto fail = [](std::nullopt_t) { return false; };
  if (id < 0 || id >= rows)
    return fail(diags.error(diag::TokenizerIdRange, at, name, id, rows));
  if (bytes.empty())
    return fail(diags.error(diag::TokenizerTokenEmpty, at, id));
  auto [known, isNew] = idOfName.emplace(std::string(name), id);
  if (!isNew)
    return fail(
        diags.error(diag::TokenizerTokenTwice, at, name, known->second, id));
  if (id >= static_cast<int64_t>(tokens.size()))
    tokens.resize(id + 1);
  if (!tokens[id].name.empty())
    return fail(
        diags.error(diag::TokenizerIdTwice, at, tokens[id].name, name, id));
  tokens[id] = {std::string(name), std::move(bytes), flags};
  return true;
}

int64_t VocabularyTable::find(std::string_view name) const {
  auto known = idOfName.find(std::string(name));
  return known == idOfName.end() ? -1 : known->second;
}

bool VocabularyTable::addMerge(int64_t rank, std::string_view left,
                               std::string_view right,
                               const SourcePosition &at) {
  auto fail = [](std::nullopt_t) { return false; };
  std::string merged = std::string(left) + std::string(right);
  for (std::string_view name : {left, right, std::string_view(merged)})
    if (find(name) < 0)
      return fail(diags.error(diag::TokenizerMergeUnknown, at, rank, name));
  int64_t ids[2] = {find(left), find(right)};
  // An added token is written as it stands, so that its name may join up while
  // its bytes do not.
  if (tokens[find(merged)].bytes != tokens[ids[0]].bytes + tokens[ids[1]].bytes)
    return fail(diags.error(diag::TokenizerMergeUnknown, at, rank, merged));
  auto [known, isNew] = rankOfPair.emplace(pairKey(ids[0], ids[1]), rank);
  if (!isNew)
    return fail(
        diags.error(diag::TokenizerMergeTwice, at, rank, known->second));
  merges.push_back({static_cast<uint32_t>(ids[0]),
                    static_cast<uint32_t>(ids[1]), static_cast<uint32_t>(rank),
                    static_cast<uint32_t>(find(merged))});
  return true;
}

bool VocabularyTable::addMerge(int64_t rank, std::string_view text,
                               const SourcePosition &at) {
  size_t space = text.find(' ');
  if (space == 0 || space == std::string_view::npos ||
      space + 1 == text.size()) {
    diags.error(diag::TokenizerMergeSyntax, at, rank,
                '"' + std::string(text) + '"');
    return false;
  }
  return addMerge(rank, text.substr(0, space), text.substr(space + 1), at);
}

std::optional<std::vector<uint8_t>>
VocabularyTable::write(bool nfc, const SourcePosition &at) const {
  qwen_tokenizer_header header = {};
  std::memcpy(header.magic, QWEN_TOKENIZER_MAGIC, sizeof header.magic);
  header.vocab_size = static_cast<uint32_t>(tokens.size());
  header.normalization = nfc ? 1 : 0;

  std::vector<uint32_t> offsets = {0}, added;
  std::vector<uint8_t> bytes, flags;
  std::fill(std::begin(header.byte_token), std::end(header.byte_token),
            UINT32_MAX);
  for (const Token &token : tokens) {
    uint32_t id = static_cast<uint32_t>(flags.size());
    bytes.insert(bytes.end(), token.bytes.begin(), token.bytes.end());
    offsets.push_back(static_cast<uint32_t>(bytes.size()));
    flags.push_back(token.bytes.empty() ? QWEN_TOKEN_UNUSED : token.flags);
    if (token.flags & QWEN_TOKEN_ADDED)
      added.push_back(id);
    else if (token.bytes.size() == 1)
      header.byte_token[static_cast<uint8_t>(token.bytes[0])] = id;
  }
  for (int64_t byte = 0; byte < 256; ++byte)
    if (header.byte_token[byte] == UINT32_MAX)
      return diags.error(diag::TokenizerByteMissing, at, byte);
  std::sort(added.begin(), added.end(), [&](uint32_t a, uint32_t b) {
    return std::pair(tokens[b].bytes.size(), a) <
           std::pair(tokens[a].bytes.size(), b);
  });
  header.added_count = static_cast<uint32_t>(added.size());

  std::vector<qwen_merge> slots = hashMerges(merges);
  if (slots.empty())
    return diags.error(diag::TokenizerMergeHash, at,
                       static_cast<int64_t>(merges.size()),
                       static_cast<int64_t>(largestTable(merges.size())));
  header.merge_slots = static_cast<uint32_t>(slots.size());

  std::vector<uint8_t> section(sizeof header);
  header.token_offsets = append(section, offsets);
  header.token_bytes = append(section, bytes);
  header.token_flags = append(section, flags);
  header.merges = append(section, slots);
  header.added = append(section, added);
  section.resize((section.size() + 7) / 8 * 8);
  header.bytes = section.size();
  std::memcpy(section.data(), &header, sizeof header);
  return section;
}

} // namespace qwen
