// TokenizerJson.cpp - reads tokenizer.json, accepting only what is certain to
// give the same ids.
#include "frontend/diag/Json.h"
#include "frontend/tokenizer/ByteAlphabet.h"
#include "frontend/tokenizer/TokenizerImport.h"
#include "frontend/tokenizer/VocabularyTable.h"

#include <map>
#include <qwen/qwen.h>

namespace qwen {
namespace {

constexpr const char *kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct AddedToken {
  int64_t id;
  uint8_t flags;
  SourcePosition at;
};

class Reader {
public:
  Reader(const std::string &path, int64_t rows, Diagnostics &diags)
      : path(path), diags(diags), table(rows, diags) {}

  std::optional<std::vector<uint8_t>> read(const JsonValue &root);

private:
  /// Reports `key` as unsupported.
  bool refuse(const JsonValue &value, std::string_view key,
              std::string_view supported) {
    diags.error(diag::TokenizerUnsupported, value.position(path), key,
                value.describe(), supported);
    return false;
  }
  const JsonValue *require(const JsonValue &object, std::string_view key,
                           std::string_view name);
  /// `key` of `object` is absent, null, or of the quiet value: false, 0 or "".
  bool quiet(const JsonValue &object, std::string_view key,
             std::string_view name);
  bool typeIs(const JsonValue &value, std::string_view wanted,
              std::string_view name);

  bool readNormalizer(const JsonValue &root);
  bool checkPreTokenizer(const JsonValue &root);
  bool checkSplit(const JsonValue &split);
  bool checkByteLevel(const JsonValue &step);
  bool checkDecoder(const JsonValue &root);
  bool readAdded(const JsonValue &root);
  bool readVocabulary(const JsonValue &model);
  bool readMerges(const JsonValue &model);

  const std::string &path;
  Diagnostics &diags;
  VocabularyTable table;
  bool nfc = false;
  std::map<std::string, AddedToken, std::less<>> added;
};

const JsonValue *Reader::require(const JsonValue &object, std::string_view key,
                                 std::string_view name) {
  const JsonValue *value = object.find(key);
  if (!value)
    diags.error(diag::ConfigKeyMissing, object.position(path), name);
  return value;
}

bool Reader::quiet(const JsonValue &object, std::string_view key,
                   std::string_view name) {
  const JsonValue *value = object.find(key);
  if (!value || value->isNull() || (value->boolean() && !*value->boolean()) ||
      (value->text() && value->text()->empty()) ||
      (value->number() && *value->number() == 0))
    return true;
  return refuse(*value, name, "false or nothing");
}

bool Reader::typeIs(const JsonValue &value, std::string_view wanted,
                    std::string_view name) {
  const JsonValue *type = value.find("type");
  if (!type)
    return refuse(value, name, std::string("`") + std::string(wanted) + "`");
  if (type->text() && *type->text() == wanted)
    return true;
  return refuse(*type, std::string(name) + ".type",
                std::string("`") + std::string(wanted) + "`");
}

bool Reader::readNormalizer(const JsonValue &root) {
  const JsonValue *normalizer = root.find("normalizer");
  if (!normalizer || normalizer->isNull())
    return true;
  const JsonValue *steps = normalizer->find("normalizers");
  if (!steps) {
    nfc = true;
    return typeIs(*normalizer, "NFC", "normalizer");
  }
  if (!typeIs(*normalizer, "Sequence", "normalizer"))
    return false;
  if (!steps->array())
    return refuse(*steps, "normalizer.normalizers", "a list");
  for (const JsonValue &step : *steps->array()) {
    nfc = true;
    if (!typeIs(step, "NFC", "normalizer.normalizers"))
      return false;
  }
  return true;
}

bool Reader::checkSplit(const JsonValue &split) {
  const JsonValue *pattern = require(split, "pattern", "pre_tokenizer.pattern");
  if (!pattern)
    return false;
  const JsonValue *regex = pattern->find("Regex");
  if (!regex || !regex->text() || *regex->text() != kQwen2Pattern) {
    const JsonValue &shown = regex ? *regex : *pattern;
    diags.error(diag::TokenizerPattern, shown.position(path), shown.describe());
    return false;
  }
  const JsonValue *behavior =
      require(split, "behavior", "pre_tokenizer.behavior");
  if (!behavior)
    return false;
  if (!behavior->text() || *behavior->text() != "Isolated")
    return refuse(*behavior, "pre_tokenizer.behavior", "`Isolated`");
  return quiet(split, "invert", "pre_tokenizer.invert");
}

bool Reader::checkByteLevel(const JsonValue &step) {
  const JsonValue *useRegex = step.find("use_regex"); // absent, it is true
  if (!useRegex || !useRegex->boolean() || *useRegex->boolean())
    return refuse(useRegex ? *useRegex : step, "pre_tokenizer.use_regex",
                  "false");
  const JsonValue *prefix = step.find("add_prefix_space"); // likewise
  if (!prefix || !prefix->boolean() || *prefix->boolean())
    return refuse(prefix ? *prefix : step, "pre_tokenizer.add_prefix_space",
                  "false");
  return true;
}

bool Reader::checkPreTokenizer(const JsonValue &root) {
  const JsonValue *preTokenizer =
      require(root, "pre_tokenizer", "pre_tokenizer");
  if (!preTokenizer || !typeIs(*preTokenizer, "Sequence", "pre_tokenizer"))
    return false;
  const JsonValue *steps =
      require(*preTokenizer, "pretokenizers", "pre_tokenizer.pretokenizers");
  if (!steps)
    return false;
  if (!steps->array() || steps->array()->size() != 2)
    return refuse(*steps, "pre_tokenizer.pretokenizers",
                  "a `Split`, then a `ByteLevel`");
  const JsonValue &split = (*steps->array())[0],
                  &byteLevel = (*steps->array())[1];
  return typeIs(split, "Split", "pre_tokenizer.pretokenizers") &&
         typeIs(byteLevel, "ByteLevel", "pre_tokenizer.pretokenizers") &&
         checkSplit(split) && checkByteLevel(byteLevel);
}

bool Reader::checkDecoder(const JsonValue &root) {
  const JsonValue *decoder = require(root, "decoder", "decoder");
  if (!decoder || !typeIs(*decoder, "ByteLevel", "decoder"))
    return false;
  const JsonValue *postProcessor = root.find("post_processor");
  return !postProcessor || postProcessor->isNull() ||
         typeIs(*postProcessor, "ByteLevel", "post_processor");
}

bool Reader::readAdded(const JsonValue &root) {
  const JsonValue *list = root.find("added_tokens");
  if (!list || list->isNull())
    return true;
  if (!list->array())
    return refuse(*list, "added_tokens", "a list");
  for (const JsonValue &entry : *list->array()) {
    SourcePosition at = entry.position(path);
    const JsonValue *content =
        require(entry, "content", "added_tokens.content");
    const JsonValue *id = require(entry, "id", "added_tokens.id");
    if (!content || !id)
      return false;
    if (!content->text())
      return refuse(*content, "added_tokens.content", "text");
    if (!id->integer())
      return refuse(*id, "added_tokens.id", "an integer");
    // `normalized` matches against normalised text, which matters only when
    // there is a normaliser.
    for (std::string_view option :
         {"lstrip", "rstrip", "single_word", "normalized"}) {
      const JsonValue *value = entry.find(option);
      bool set = value && !(value->boolean() && !*value->boolean());
      if (set && (option != "normalized" || nfc)) {
        diags.error(diag::TokenizerAddedOption, value->position(path),
                    *content->text(), option);
        return false;
      }
    }
    const JsonValue *special = entry.find("special");
    bool isSpecial = special && special->boolean() && *special->boolean();
    uint8_t flags = QWEN_TOKEN_ADDED | (isSpecial ? QWEN_TOKEN_SPECIAL : 0);
    auto [known, isNew] = added.try_emplace(
        *content->text(), AddedToken{*id->integer(), flags, at});
    if (!isNew) {
      diags.error(diag::TokenizerTokenTwice, at, *content->text(),
                  known->second.id, *id->integer());
      return false;
    }
  }
  return true;
}

bool Reader::readVocabulary(const JsonValue &model) {
  const JsonValue *vocabulary = require(model, "vocab", "model.vocab");
  if (!vocabulary)
    return false;
  if (!vocabulary->object())
    return refuse(*vocabulary, "model.vocab", "an object");
  for (const JsonMember &member : *vocabulary->object()) {
    SourcePosition at = {path, member.line, member.column};
    if (!member.value.integer())
      return refuse(member.value, "model.vocab", "an integer for each token");
    int64_t id = *member.value.integer();
    auto asAdded = added.find(member.key);
    if (asAdded !=
        added.end()) { // it is written as it stands, and its own entry adds it
      if (asAdded->second.id == id)
        continue;
      diags.error(diag::TokenizerTokenTwice, asAdded->second.at, member.key, id,
                  asAdded->second.id);
      return false;
    }
    std::optional<std::string> bytes = bytesFromAlphabet(member.key);
    if (!bytes) {
      diags.error(diag::TokenizerAlphabet, at, id, member.key);
      return false;
    }
    if (!table.addToken(id, member.key, std::move(*bytes), 0, at))
      return false;
  }
  for (const auto &[content, token] : added)
    if (!table.addToken(token.id, content, content, token.flags, token.at))
      return false;
  return true;
}

bool Reader::readMerges(const JsonValue &model) {
  const JsonValue *merges = require(model, "merges", "model.merges");
  if (!merges)
    return false;
  if (!merges->array())
    return refuse(*merges, "model.merges", "a list");
  int64_t rank = 0;
  for (const JsonValue &merge : *merges->array()) {
    SourcePosition at = merge.position(path);
    if (merge.text()) {
      if (!table.addMerge(rank, *merge.text(), at))
        return false;
    } else {
      const auto *pair = merge.array();
      if (!pair || pair->size() != 2 || !(*pair)[0].text() ||
          !(*pair)[1].text()) {
        diags.error(diag::TokenizerMergeSyntax, at, rank, merge.describe());
        return false;
      }
      if (!table.addMerge(rank, *(*pair)[0].text(), *(*pair)[1].text(), at))
        return false;
    }
    ++rank;
  }
  return true;
}

std::optional<std::vector<uint8_t>> Reader::read(const JsonValue &root) {
  const JsonValue *model = require(root, "model", "model");
  if (!model || (model->find("type") && !typeIs(*model, "BPE", "model")))
    return std::nullopt;
  for (std::string_view key : {"dropout", "continuing_subword_prefix",
                               "end_of_word_suffix", "ignore_merges"})
    if (!quiet(*model, key, "model." + std::string(key)))
      return std::nullopt;
  if (!readNormalizer(root) || !checkPreTokenizer(root) ||
      !checkDecoder(root) || !readAdded(root) || !readVocabulary(*model) ||
      !readMerges(*model))
    return std::nullopt;
  return table.write(nfc, {path, 0, 0});
}

} // namespace

std::optional<std::vector<uint8_t>> importTokenizerJson(const std::string &path,
                                                        int64_t vocabSize,
                                                        Diagnostics &diags) {
  std::optional<JsonValue> root = readJsonFile(path, diags);
  if (!root)
    return std::nullopt;
  return Reader(path, vocabSize, diags).read(*root);
}

} // namespace qwen
