// TemplateParser.cpp - tokens to statements and expressions, by recursive
// descent in jinja2's order of precedence.
#include "runtime/cli/TemplateLexer.h"
#include "runtime/cli/TemplateTree.h"

#include <algorithm>
#include <charconv>

namespace qwen::jinja {
namespace {

// Deep enough for any template, shallow enough for the stack.
constexpr int64_t kMaxDepth = 200, kMaxHeight = 1000;

class Depth {
public:
  Depth(int64_t &depth, int64_t line) : depth_(depth) {
    if (++depth_ > kMaxDepth)
      throw Error(line,
                  "nested more than " + std::to_string(kMaxDepth) + " deep");
  }
  ~Depth() { --depth_; }
  Depth(const Depth &) = delete;

private:
  int64_t &depth_;
};

class ExpressionParser {
public:
  ExpressionParser(const std::vector<Token> &tokens, size_t at)
      : tokens_(tokens), at_(at) {}

  using Kind = Expression::Kind;

  const Token &next() const { return tokens_[at_]; }
  const Token &take() {
    return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_];
  }
  bool is(std::string_view text) const {
    return (next().kind == Token::Kind::kSymbol ||
            next().kind == Token::Kind::kName) &&
           next().text == text;
  }
  bool accept(std::string_view text) {
    bool found = is(text);
    if (found)
      take();
    return found;
  }
  void expect(std::string_view text) {
    if (!accept(text))
      throw Error(next().line,
                  "expected `" + std::string(text) + "`" + butGot());
  }
  std::string name() {
    if (next().kind != Token::Kind::kName)
      throw Error(next().line, "expected a name" + butGot());
    return take().text;
  }
  void expectEnd() const {
    if (next().kind != Token::Kind::kEnd)
      throw Error(next().line, "the tag ends too late" + butGot());
  }

  ExpressionPtr expression() {
    Depth depth(depth_, next().line);
    ExpressionPtr value = binary(0);
    if (!is("if"))
      return value;
    int64_t line = take().line;
    ExpressionPtr condition = binary(0);
    ExpressionPtr otherwise = accept("else") ? expression() : nullptr;
    return node(Kind::kConditional, line, "", std::move(condition),
                std::move(value), std::move(otherwise));
  }

  // Without a conditional, so that `for x in y if z` keeps its `if`.
  ExpressionPtr operand() { return binary(0); }

private:
  std::string butGot() const {
    return next().kind == Token::Kind::kEnd ? ", not the tag's end"
                                            : ", not `" + next().text + "`";
  }

  template <typename... Parts>
  static ExpressionPtr node(Kind kind, int64_t line, std::string text,
                            Parts... parts) {
    auto expression = std::make_unique<Expression>();
    expression->kind = kind;
    expression->line = line;
    expression->text = std::move(text);
    (adopt(*expression, std::move(parts)), ...);
    return expression;
  }

  static void adopt(Expression &parent, ExpressionPtr part) {
    if (part)
      raise(parent, *part);
    parent.parts.push_back(std::move(part));
  }

  // A long chain of operators is a high tree, however flat it is written.
  static void raise(Expression &parent, const Expression &part) {
    parent.height = std::max(parent.height, part.height + 1);
    if (parent.height > kMaxHeight)
      throw Error(parent.line, "an expression of more than " +
                                   std::to_string(kMaxHeight) + " levels");
  }

  // Levels from the loosest: or, and, not, comparisons, + -, ~, * / // %.
  ExpressionPtr binary(int level) {
    static constexpr int kNot = 2, kLevels = 7;
    static const std::vector<std::string_view> kOperators[kLevels] = {
        {"or"},
        {"and"},
        {},
        {"==", "!=", "<", ">", "<=", ">=", "in", "not"},
        {"+", "-"},
        {"~"},
        {"*", "/", "//", "%"}};
    if (level == kLevels)
      return unary();
    if (level == kNot && is("not")) {
      Depth depth(depth_, next().line);
      int64_t line = take().line;
      return node(Kind::kUnary, line, "not", binary(kNot));
    }
    ExpressionPtr left = binary(level + 1);
    for (;;) {
      const auto &operators = kOperators[level];
      auto found =
          std::find_if(operators.begin(), operators.end(),
                       [&](std::string_view text) { return is(text); });
      if (found == operators.end())
        return left;
      int64_t line = take().line;
      if (*found == "not") {
        expect("in");
        left = node(Kind::kUnary, line, "not",
                    node(Kind::kBinary, line, "in", std::move(left),
                         binary(level + 1)));
      } else {
        left = node(Kind::kBinary, line, std::string(*found), std::move(left),
                    binary(level + 1));
      }
    }
  }

  ExpressionPtr unary() {
    Depth depth(depth_, next().line);
    if (is("-") || is("+")) {
      const Token &sign = take();
      return node(Kind::kUnary, sign.line, sign.text, unary());
    }
    return postfix(primary());
  }

  ExpressionPtr postfix(ExpressionPtr value) {
    for (;;) {
      int64_t line = next().line;
      if (accept(".")) {
        std::string attribute = name();
        if (is("(")) {
          value = node(Kind::kMethod, line, attribute, std::move(value));
          arguments(*value);
        } else {
          value = node(Kind::kAttribute, line, attribute, std::move(value));
        }
      } else if (accept("[")) {
        value = subscript(std::move(value), line);
      } else if (is("(")) {
        if (value->kind != Kind::kName)
          throw Error(line, "only a name or a method can be called");
        value = node(Kind::kCall, line, value->text);
        arguments(*value);
      } else if (accept("|")) {
        value = node(Kind::kFilter, line, name(), std::move(value));
        if (is("("))
          arguments(*value);
      } else if (accept("is")) {
        bool negated = accept("not");
        value = node(Kind::kTest, line, name(), std::move(value));
        if (is("("))
          arguments(*value);
        if (negated)
          value = node(Kind::kUnary, line, "not", std::move(value));
      } else {
        return value;
      }
    }
  }

  ExpressionPtr subscript(ExpressionPtr value, int64_t line) {
    ExpressionPtr bounds[3];
    int colons = 0;
    while (!accept("]")) {
      if (accept(":")) {
        if (++colons > 2)
          throw Error(line, "a slice has at most two colons");
      } else if (bounds[colons]) {
        expect("]");
      } else {
        bounds[colons] = expression();
      }
    }
    if (colons > 0)
      return node(Kind::kSlice, line, "", std::move(value),
                  std::move(bounds[0]), std::move(bounds[1]),
                  std::move(bounds[2]));
    if (!bounds[0])
      throw Error(line, "`[]` has no index");
    return node(Kind::kIndex, line, "", std::move(value), std::move(bounds[0]));
  }

  void arguments(Expression &call) {
    expect("(");
    while (!accept(")")) {
      if (next().kind == Token::Kind::kName && tokens_[at_ + 1].text == "=" &&
          tokens_[at_ + 1].kind == Token::Kind::kSymbol) {
        std::string key = name();
        take();
        call.named.emplace_back(std::move(key), expression());
        raise(call, *call.named.back().second);
      } else {
        adopt(call, expression());
      }
      if (!is(")"))
        expect(",");
    }
  }

  ExpressionPtr primary() {
    const Token &token = take();
    if (token.kind == Token::Kind::kString)
      return literal(token.line, token.text);
    if (token.kind == Token::Kind::kNumber)
      return number(token);
    if (token.kind == Token::Kind::kName) {
      for (const auto &[word, value] : {std::pair("true", Value(true)),
                                        {"True", Value(true)},
                                        {"false", Value(false)},
                                        {"False", Value(false)},
                                        {"none", Value()},
                                        {"None", Value()}})
        if (token.text == word)
          return literal(token.line, value);
      return node(Kind::kName, token.line, token.text);
    }
    if (token.text == "(") {
      ExpressionPtr value = expression();
      expect(")");
      return value;
    }
    if (token.text == "[" || token.text == "{") {
      bool isMap = token.text == "{";
      const char *close = isMap ? "}" : "]";
      ExpressionPtr value =
          node(isMap ? Kind::kMap : Kind::kList, token.line, "");
      while (!accept(close)) {
        adopt(*value, expression());
        if (isMap) {
          expect(":");
          adopt(*value, expression());
        }
        if (!is(close))
          expect(",");
      }
      return value;
    }
    throw Error(token.line,
                token.kind == Token::Kind::kEnd
                    ? "the tag ends where a value is expected"
                    : "`" + token.text + "` where a value is expected");
  }

  static ExpressionPtr literal(int64_t line, Value value) {
    ExpressionPtr expression = node(Kind::kLiteral, line, "");
    expression->value = std::move(value);
    return expression;
  }

  static ExpressionPtr number(const Token &token) {
    const char *begin = token.text.data(), *end = begin + token.text.size();
    int64_t integer = 0;
    if (auto [stop, error] = std::from_chars(begin, end, integer);
        stop == end && error == std::errc())
      return literal(token.line, integer);
    double real = 0;
    if (auto [stop, error] = std::from_chars(begin, end, real);
        stop == end && error == std::errc())
      return literal(token.line, real);
    throw Error(token.line, "`" + token.text + "` is no number");
  }

  const std::vector<Token> &tokens_;
  size_t at_;
  int64_t depth_ = 0;
};

class BlockParser {
public:
  explicit BlockParser(std::string_view text) : pieces_(cutPieces(text)) {}

  Block whole() {
    Block block = statements();
    if (at_ < pieces_.size())
      throw Error(pieces_[at_].line, "`" + keyword() + "` closes nothing");
    return block;
  }

private:
  // The word that a statement tag starts with.
  std::string keyword() const { return pieces_[at_].tokens[0].text; }
  bool atKeyword(std::initializer_list<std::string_view> words) const {
    if (at_ >= pieces_.size() || pieces_[at_].kind != Piece::Kind::kStatement)
      return false;
    return std::find(words.begin(), words.end(), keyword()) != words.end();
  }

  Block statements() {
    Depth depth(depth_, at_ < pieces_.size() ? pieces_[at_].line : 0);
    Block block;
    while (at_ < pieces_.size()) {
      Piece &piece = pieces_[at_];
      if (piece.kind == Piece::Kind::kText) {
        block.push_back({Statement::Kind::kText,
                         piece.line,
                         std::move(piece.text),
                         nullptr,
                         {},
                         {},
                         {}});
        ++at_;
      } else if (piece.kind == Piece::Kind::kOutput) {
        ExpressionParser parser(piece.tokens, 0);
        Statement statement{Statement::Kind::kOutput,
                            piece.line,
                            "",
                            parser.expression(),
                            {},
                            {},
                            {}};
        parser.expectEnd();
        block.push_back(std::move(statement));
        ++at_;
      } else if (keyword() == "if") {
        block.push_back(ifStatement());
      } else if (keyword() == "for") {
        block.push_back(forStatement());
      } else if (keyword() == "set") {
        block.push_back(setStatement());
      } else if (keyword() == "generation" || keyword() == "endgeneration") {
        ++at_; // marks what is trained on; gives nothing
      } else if (atKeyword({"elif", "else", "endif", "endfor"})) {
        break;
      } else {
        throw Error(piece.line, "`" + keyword() + "` is not supported");
      }
    }
    return block;
  }

  void closeWith(std::string_view word, int64_t line) {
    if (!atKeyword({word}))
      throw Error(line,
                  "expected `" + std::string(word) + "` for the tag here");
    ++at_;
  }

  Statement ifStatement() {
    Statement statement{
        Statement::Kind::kIf, pieces_[at_].line, "", nullptr, {}, {}, {}};
    do {
      ExpressionParser parser(pieces_[at_++].tokens, 1);
      statement.conditions.push_back(parser.expression());
      parser.expectEnd();
      statement.blocks.push_back(statements());
    } while (atKeyword({"elif"}));
    if (atKeyword({"else"})) {
      ++at_;
      statement.blocks.push_back(statements());
    }
    closeWith("endif", statement.line);
    return statement;
  }

  Statement forStatement() {
    Statement statement{
        Statement::Kind::kFor, pieces_[at_].line, "", nullptr, {}, {}, {}};
    ExpressionParser parser(pieces_[at_++].tokens, 1);
    do
      statement.names.push_back(parser.name());
    while (parser.accept(","));
    parser.expect("in");
    statement.value = parser.operand();
    if (parser.accept("if"))
      statement.conditions.push_back(parser.expression());
    parser.expectEnd();
    statement.blocks.push_back(statements());
    if (atKeyword({"else"})) {
      ++at_;
      statement.blocks.push_back(statements());
    }
    closeWith("endfor", statement.line);
    return statement;
  }

  Statement setStatement() {
    Statement statement{
        Statement::Kind::kSet, pieces_[at_].line, "", nullptr, {}, {}, {}};
    ExpressionParser parser(pieces_[at_++].tokens, 1);
    statement.names.push_back(parser.name());
    if (parser.accept("."))
      statement.names.push_back(parser.name());
    parser.expect("=");
    statement.value = parser.expression();
    parser.expectEnd();
    return statement;
  }

  std::vector<Piece> pieces_;
  size_t at_ = 0;
  int64_t depth_ = 0;
};

} // namespace

Block parse(std::string_view text) { return BlockParser(text).whole(); }

} // namespace qwen::jinja
