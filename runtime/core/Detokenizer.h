// Detokenizer.h - token ids to text as they come, without ever splitting a
// UTF-8 sequence.
//
// Source  the joined pieces equal `tokenizers` decode of all ids: its
// byte-level decoder and from_utf8_lossy
#pragma once

#include "runtime/core/Tokenizer.h"

#include <cstdint>
#include <string>

namespace qwen {

class Detokenizer {
public:
  /// The tokenizer must outlive it. With `skipSpecial`, special tokens leave no
  /// text.
  Detokenizer(const Tokenizer &tokenizer, bool skipSpecial)
      : tokenizer(&tokenizer), skipSpecial(skipSpecial) {}

  /// The text that `id` completes: valid UTF-8, perhaps empty. At most 3 bytes,
  /// a sequence's start, are held back.
  std::string push(int32_t id);

  /// What is left: U+FFFD when the last sequence was never completed. Then it
  /// may start anew.
  std::string finish();

private:
  const Tokenizer *tokenizer;
  bool skipSpecial;
  std::string pending;
};

} // namespace qwen
