// Detokenizer.cpp - holds back the start of a sequence until the tokens that
// complete or break it.
#include "runtime/core/Detokenizer.h"

#include "runtime/core/Utf8.h"

namespace qwen {

std::string Detokenizer::push(int32_t id) {
  if (skipSpecial && tokenizer->isSpecial(id))
    return {};
  pending += tokenizer->bytes(id);
  std::string text;
  std::string_view rest = pending;
  while (!rest.empty()) {
    Utf8Step step = readUtf8(rest);
    if (step.kind == Utf8Step::kIncomplete)
      break;
    appendUtf8(text, step.codePoint);
    rest.remove_prefix(step.length);
  }
  pending = std::string(rest);
  return text;
}

std::string Detokenizer::finish() {
  std::string text = replaceBrokenUtf8(pending);
  pending.clear();
  return text;
}

} // namespace qwen
