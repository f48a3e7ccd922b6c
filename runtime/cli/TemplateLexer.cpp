// TemplateLexer.cpp - tags, the blanks around them, and the words in them.
#include "runtime/cli/TemplateLexer.h"
#include "runtime/cli/TemplateTree.h"

#include <algorithm>
#include <cstring>

namespace qwen::jinja {
namespace {

bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' ||
         c == '\f';
}
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool startsName(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Lexer {
public:
  explicit Lexer(std::string_view text) : text_(text) {
    // Jinja drops one line end at the end of a template.
    if (!text_.empty() && text_.back() == '\n')
      text_.remove_suffix(1);
  }

  std::vector<Piece> pieces() {
    while (at_ < text_.size()) {
      size_t open = findTag();
      addText(text_.substr(at_, open - at_), open);
      if (open == text_.size())
        break;
      at_ = open;
      readTag();
    }
    return std::move(pieces_);
  }

private:
  // Asked for ever later places, so that each character is counted once.
  int64_t lineAt(size_t at) {
    auto begin = text_.begin();
    line_ += std::count(begin + static_cast<ptrdiff_t>(counted_),
                        begin + static_cast<ptrdiff_t>(at), '\n');
    counted_ = at;
    return line_;
  }

  size_t findTag() const {
    for (size_t at = at_; (at = text_.find('{', at)) != std::string_view::npos;
         ++at)
      if (at + 1 < text_.size() && strchr("{%#", text_[at + 1]))
        return at;
    return text_.size();
  }

  // Text up to a tag at `open`, less the blanks that the tag takes.
  void addText(std::string_view text, size_t open) {
    if (trimNext_)
      while (!text.empty() && isBlank(text.front()))
        text.remove_prefix(1);
    else if (dropLineEnd_ && !text.empty() && text.front() == '\n')
      text.remove_prefix(1);
    char mark = open + 2 < text_.size() ? text_[open + 2] : '\0';
    bool isOutput = open + 1 < text_.size() && text_[open + 1] == '{';
    if (open < text_.size() && mark == '-') {
      while (!text.empty() && isBlank(text.back()))
        text.remove_suffix(1);
    } else if (open < text_.size() && !isOutput && mark != '+') {
      // lstrip_blocks: blanks between the start of the line and the tag.
      size_t end = text.size();
      while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t'))
        --end;
      size_t lineStart = static_cast<size_t>(text.data() + end - text_.data());
      if (lineStart == 0 || text_[lineStart - 1] == '\n')
        text.remove_suffix(text.size() - end);
    }
    if (!text.empty())
      pieces_.push_back(
          {Piece::Kind::kText, std::string(text), {}, lineAt(at_)});
  }

  void readTag() {
    int64_t line = lineAt(at_);
    char kind = text_[at_ + 1];
    at_ += 2;
    if (kind == '#') {
      size_t close = text_.find("#}", at_);
      if (close == std::string_view::npos)
        throw Error(line, "a comment has no end");
      finishTag(close, /*dropLineEnd=*/true);
      return;
    }
    if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+'))
      ++at_;
    Piece piece{kind == '{' ? Piece::Kind::kOutput : Piece::Kind::kStatement,
                "",
                {},
                line};
    const char *close = kind == '{' ? "}}" : "%}";
    for (int64_t depth = 0;;) {
      while (at_ < text_.size() && isBlank(text_[at_]))
        ++at_;
      if (at_ >= text_.size())
        throw Error(line, "a tag has no end");
      std::string_view rest = text_.substr(at_);
      // Inside brackets `}}` closes two maps.
      size_t marked = rest[0] == '-' || rest[0] == '+' ? 1 : 0;
      if (depth == 0 && rest.substr(marked, 2) == close)
        break;
      Token token = readToken(rest);
      if (token.kind == Token::Kind::kSymbol)
        depth += strchr("([{", token.text[0])   ? 1
                 : strchr(")]}", token.text[0]) ? -1
                                                : 0;
      piece.tokens.push_back(std::move(token));
    }
    piece.tokens.push_back({Token::Kind::kEnd, "", lineAt(at_)});
    pieces_.push_back(std::move(piece));
    finishTag(at_ + (text_[at_] == '-' || text_[at_] == '+' ? 1 : 0),
              /*dropLineEnd=*/kind != '{');
  }

  // `close` is where the closing two characters are.
  void finishTag(size_t close, bool dropLineEnd) {
    trimNext_ = text_[close - 1] == '-';
    dropLineEnd_ = dropLineEnd && text_[close - 1] != '+';
    at_ = close + 2;
  }

  Token readToken(std::string_view rest) {
    int64_t line = lineAt(at_);
    size_t length = 1;
    if (startsName(rest[0])) {
      while (length < rest.size() &&
             (startsName(rest[length]) || isDigit(rest[length])))
        ++length;
      at_ += length;
      return {Token::Kind::kName, std::string(rest.substr(0, length)), line};
    }
    if (isDigit(rest[0])) {
      while (length < rest.size() &&
             (isDigit(rest[length]) ||
              (rest[length] == '.' && length + 1 < rest.size() &&
               isDigit(rest[length + 1]))))
        ++length;
      at_ += length;
      return {Token::Kind::kNumber, std::string(rest.substr(0, length)), line};
    }
    if (rest[0] == '\'' || rest[0] == '"')
      return readString(rest, line);
    for (std::string_view symbol : {"==", "!=", "<=", ">=", "//"})
      if (rest.substr(0, 2) == symbol)
        length = 2;
    if (length == 1 && !strchr("()[]{}.,:|=+-~*/%<>", rest[0]))
      throw Error(line,
                  "`" + std::string(1, rest[0]) + "` is not understood here");
    at_ += length;
    return {Token::Kind::kSymbol, std::string(rest.substr(0, length)), line};
  }

  Token readString(std::string_view rest, int64_t line) {
    std::string value;
    for (size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == rest[0]) {
        at_ += i + 1;
        return {Token::Kind::kString, std::move(value), line};
      }
      if (rest[i] != '\\' || i + 1 == rest.size()) {
        value += rest[i];
        continue;
      }
      char c = rest[++i];
      constexpr char kEscaped[] = "ntr\\'\"", kMeaning[] = "\n\t\r\\'\"";
      const char *found = strchr(kEscaped, c);
      if (found && c)
        value += kMeaning[found - kEscaped];
      else
        value += {'\\', c};
    }
    throw Error(line, "a string has no end");
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t counted_ = 0;
  int64_t line_ = 1;
  bool trimNext_ = false,
       dropLineEnd_ =
           false; // what the tag before asks of the text that follows
  std::vector<Piece> pieces_;
};

} // namespace

std::vector<Piece> cutPieces(std::string_view text) {
  return Lexer(text).pieces();
}

} // namespace qwen::jinja
