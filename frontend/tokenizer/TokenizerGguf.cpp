// TokenizerGguf.cpp - the tokenizer in a GGUF's metadata.
//
// Source  GGUF specification, "Tokenizer"; llama.h, enum llama_token_type
#include "frontend/tokenizer/ByteAlphabet.h"
#include "frontend/tokenizer/TokenizerImport.h"
#include "frontend/tokenizer/VocabularyTable.h"
#include "frontend/weights/GgufMetadata.h"

#include <qwen/qwen.h>

namespace qwen {
namespace {

constexpr const char *kModel = "tokenizer.ggml.model",
                     *kPre = "tokenizer.ggml.pre",
                     *kTokens = "tokenizer.ggml.tokens",
                     *kTypes = "tokenizer.ggml.token_type",
                     *kMerges = "tokenizer.ggml.merges";

enum TokenType : int64_t {
  kPlain = 1,
  kSpecial = 3,
  kAddedText = 4,
  kUnused = 5
};

class Reader {
public:
  Reader(const GgufMetadata &metadata, int64_t rows, Diagnostics &diags)
      : metadata(metadata), diags(diags), at{metadata.path, 0, 0}, rows(rows),
        table(rows, diags) {}

  std::optional<std::vector<uint8_t>> read() {
    if (!textIs(kModel, "gpt2") || !textIs(kPre, "qwen2") || !readTokens() ||
        !readMerges())
      return std::nullopt;
    return table.write(/*nfc=*/true, at);
  }

private:
  template <typename T> const T *require(const char *key, const char *kind) {
    const T *value = metadata.get<T>(key);
    if (!value && !metadata.has(key))
      diags.error(diag::ConfigKeyMissing, at, key);
    else if (!value)
      diags.error(diag::TokenizerUnsupported, at, key, "of another type", kind);
    return value;
  }

  bool textIs(const char *key, const char *wanted) {
    const std::string *value = require<std::string>(key, "text");
    if (value && *value != wanted)
      diags.error(diag::TokenizerUnsupported, at, key, '"' + *value + '"',
                  '"' + std::string(wanted) + '"');
    return value && *value == wanted;
  }

  bool readTokens();
  bool addToken(int64_t id, const std::string &name, int64_t type);
  bool readMerges();

  const GgufMetadata &metadata;
  Diagnostics &diags;
  SourcePosition at;
  int64_t rows;
  VocabularyTable table;
};

bool Reader::readTokens() {
  const auto *names =
      require<std::vector<std::string>>(kTokens, "a list of texts");
  const auto *types =
      require<std::vector<int64_t>>(kTypes, "a list of integers");
  if (!names || !types)
    return false;
  int64_t count = static_cast<int64_t>(names->size());
  if (static_cast<int64_t>(types->size()) != count) {
    diags.error(diag::TokenizerCounts, at, kTypes,
                static_cast<int64_t>(types->size()), kTokens, count);
    return false;
  }
  if (count > rows) {
    diags.error(diag::TokenizerTooLarge, at, kTokens, count, rows);
    return false;
  }
  for (int64_t id = 0; id < count; ++id)
    if (!addToken(id, (*names)[id], (*types)[id]))
      return false;
  return true;
}

bool Reader::addToken(int64_t id, const std::string &name, int64_t type) {
  switch (type) {
  case kPlain: {
    std::optional<std::string> bytes = bytesFromAlphabet(name);
    if (bytes)
      return table.addToken(id, name, std::move(*bytes), 0, at);
    diags.error(diag::TokenizerAlphabet, at, id, name);
    return false;
  }
  case kSpecial:
    return table.addToken(id, name, name, QWEN_TOKEN_ADDED | QWEN_TOKEN_SPECIAL,
                          at);
  case kAddedText:
    return table.addToken(id, name, name, QWEN_TOKEN_ADDED, at);
  case kUnused:
    return true;
  default:
    diags.error(diag::TokenizerTokenType, at, id, name, type);
    return false;
  }
}

bool Reader::readMerges() {
  const auto *merges =
      require<std::vector<std::string>>(kMerges, "a list of texts");
  if (!merges)
    return false;
  int64_t rank = 0;
  for (std::string_view merge : *merges)
    if (!table.addMerge(rank++, merge, at))
      return false;
  return true;
}

} // namespace

std::optional<std::vector<uint8_t>>
importTokenizerGguf(const GgufMetadata &metadata, int64_t vocabSize,
                    Diagnostics &diags) {
  return Reader(metadata, vocabSize, diags).read();
}

} // namespace qwen
