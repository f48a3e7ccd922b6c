// TemplateLexer.h - a chat template cut into text and tags, a tag into words.
#ifndef QWEN_RUNTIME_CLI_TEMPLATELEXER_H
#define QWEN_RUNTIME_CLI_TEMPLATELEXER_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qwen::jinja {

struct Token {
  enum class Kind { kName, kString, kNumber, kSymbol, kEnd };
  Kind kind;
  std::string text; // of a string: without quotes and escapes
  int64_t line;
};

/// Text between tags, or the tokens of one tag, closed by kEnd.
struct Piece {
  enum class Kind { kText, kOutput, kStatement };
  Kind kind;
  std::string text;
  std::vector<Token> tokens;
  int64_t line;
};

/// Throws Error (TemplateTree.h).
std::vector<Piece> cutPieces(std::string_view text);

} // namespace qwen::jinja

#endif
