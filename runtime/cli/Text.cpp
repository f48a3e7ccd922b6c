// Text.cpp - opening the tokenizer.
#include "runtime/cli/Text.h"

namespace qwen {

Result<std::optional<Tokenizer>> openTokenizerIfAny(const Weights &weights) {
  std::span<const uint8_t> table = weights.tokenizer();
  if (table.empty())
    return std::optional<Tokenizer>();
  Result<Tokenizer> tokenizer = Tokenizer::open(table.data(), table.size());
  if (!tokenizer.ok())
    return tokenizer.status().at(weights.path());
  return std::optional<Tokenizer>(std::move(*tokenizer));
}

Result<Tokenizer> openTokenizer(const Weights &weights, const char *hint) {
  Result<std::optional<Tokenizer>> tokenizer = openTokenizerIfAny(weights);
  if (!tokenizer.ok())
    return tokenizer.status();
  if (!*tokenizer)
    return Status::unsupported("no tokenizer in these weights%s", hint)
        .at(weights.path());
  return std::move(**tokenizer);
}

Result<std::vector<int32_t>> encodeText(const Tokenizer &tokenizer,
                                        std::string_view text) {
  std::vector<int32_t> ids;
  if (!tokenizer.encode(text, /*parseSpecial=*/true, ids))
    return Status::invalid(
        "a text of %zu bytes; the tokenizer takes up to %lld", text.size(),
        static_cast<long long>(Tokenizer::kMaxTextBytes));
  return ids;
}

Result<std::vector<int32_t>>
encodeChat(const ChatTemplate &chat, const Tokenizer &tokenizer,
           const std::vector<ChatMessage> &messages, bool thinking) {
  Result<std::string> text = chat.render(messages, thinking);
  if (!text.ok())
    return text.status();
  return encodeText(tokenizer, *text);
}

void forbidNonTokens(Sampler &sampler, const Tokenizer &tokenizer,
                     int64_t vocabSize) {
  for (int64_t id = 0; id < vocabSize; ++id)
    if (!tokenizer.isToken(static_cast<int32_t>(id)))
      sampler.forbid(static_cast<int32_t>(id));
}

} // namespace qwen
