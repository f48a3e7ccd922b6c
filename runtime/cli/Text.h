// Text.h - the tokenizer and what belongs to it, from an opened weights file.
#ifndef QWEN_RUNTIME_CLI_TEXT_H
#define QWEN_RUNTIME_CLI_TEXT_H

#include "runtime/cli/ChatTemplate.h"
#include "runtime/core/Sampler.h"
#include "runtime/core/Tokenizer.h"
#include "runtime/core/Weights.h"

namespace qwen {

/// The tokenizer in `weights`, which must stay open; kUnsupported if it has
/// none, with the `hint` what to do instead.
Result<Tokenizer> openTokenizer(const Weights &weights, const char *hint = "");

/// The tokenizer, or none if the weights have none; kInvalid if it is damaged.
Result<std::optional<Tokenizer>> openTokenizerIfAny(const Weights &weights);

/// The ids of `text`; special tokens spelled out in it are taken as such.
Result<std::vector<int32_t>> encodeText(const Tokenizer &tokenizer,
                                        std::string_view text);

/// The ids of a conversation, up to where the model's answer starts.
Result<std::vector<int32_t>>
encodeChat(const ChatTemplate &chat, const Tokenizer &tokenizer,
           const std::vector<ChatMessage> &messages, bool thinking);

/// Forbids every id of the vocabulary that is no token: padding rows, and those
/// flagged as unused.
void forbidNonTokens(Sampler &sampler, const Tokenizer &tokenizer,
                     int64_t vocabSize);

} // namespace qwen

#endif
