// VocabularyTable.h - a vocabulary and its merges, checked as they are added,
// then written as the flat table that the runtime maps.
//
// Source  qwen_tokenizer_header in runtime/include/qwen/qwen.h
#pragma once

#include "frontend/diag/Diag.h"

#include <cstdint>
#include <optional>
#include <qwen/qwen.h>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace qwen {

class VocabularyTable {
public:
  /// Ids must be below `rows`, the rows of the model's embedding.
  VocabularyTable(int64_t rows, Diagnostics &diags)
      : rows(rows), diags(diags) {}

  /// A token by its name in the file (unique) and its bytes; `flags` are
  /// qwen_token_flag bits. The functions return false after reporting an error
  /// at `at`.
  bool addToken(int64_t id, std::string_view name, std::string bytes,
                uint8_t flags, const SourcePosition &at);

  /// Merge number `rank`, in the names of addToken, all of which come before
  /// the merges.
  bool addMerge(int64_t rank, std::string_view left, std::string_view right,
                const SourcePosition &at);
  /// The same of "left right".
  bool addMerge(int64_t rank, std::string_view text, const SourcePosition &at);

  /// The id of a token by its name; -1 when there is none.
  int64_t find(std::string_view name) const;

  /// The table; nullopt after an error: some byte has no token of its own.
  std::optional<std::vector<uint8_t>> write(bool nfc,
                                            const SourcePosition &at) const;

private:
  struct Token {
    std::string name, bytes;
    uint8_t flags = 0;
  };

  int64_t rows;
  Diagnostics &diags;
  std::vector<Token> tokens; // an id that is not given is QWEN_TOKEN_UNUSED
  std::unordered_map<std::string, int64_t> idOfName;
  std::vector<qwen_merge> merges;
  std::unordered_map<uint64_t, int64_t> rankOfPair;
};

} // namespace qwen
