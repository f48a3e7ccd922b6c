// TemplateTree.h - a parsed chat template: statements and expressions of the
// part of Jinja that such templates use.
//
// Source  jinja2's grammar (parser.py), in the settings of Hugging Face's
// apply_chat_template: trim_blocks and
//         lstrip_blocks on
#ifndef QWEN_RUNTIME_CLI_TEMPLATETREE_H
#define QWEN_RUNTIME_CLI_TEMPLATETREE_H

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qwen::jinja {

/// A value; an undefined one is json's `discarded`.
using Value = nlohmann::json;

/// What is wrong with a template or its values; caught where the template is
/// opened or rendered.
struct Error : std::runtime_error {
  Error(int64_t line, const std::string &text)
      : std::runtime_error("line " + std::to_string(line) + ": " + text) {}
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind {
    kLiteral,     // value
    kName,        // text
    kList,        // parts
    kMap,         // parts: key, value, key, value
    kAttribute,   // parts[0].text
    kIndex,       // parts[0][parts[1]]
    kSlice,       // parts[0][parts[1]:parts[2]:parts[3]], absent ones null
    kCall,        // text(parts..., named), a function
    kMethod,      // parts[0].text(parts[1]..., named)
    kFilter,      // parts[0] | text(parts[1]..., named)
    kTest,        // parts[0] is text(parts[1]...)
    kUnary,       // text: not, -, +
    kBinary,      // text: or and == != < > <= >= in + - ~ * / // %
    kConditional, // parts[1] if parts[0] else parts[2], the last one perhaps
                  // null
  };
  Kind kind;
  int64_t line;
  std::string text;
  Value value;
  std::vector<ExpressionPtr> parts;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  int64_t height =
      1; // of the tree below, this node included; bounded by the parser
};

struct Statement;
using Block = std::vector<Statement>;

struct Statement {
  enum class Kind {
    kText,   // text
    kOutput, // value
    kIf,     // conditions and blocks; one block more is the else
    kFor,    // names in value, filtered by condition[0] if given: blocks[0];
             // blocks[1] if there was nothing
    kSet,    // names[0], or names[0].names[1], = value
  };
  Kind kind;
  int64_t line;
  std::string text;
  ExpressionPtr value;
  std::vector<std::string> names;
  std::vector<ExpressionPtr> conditions;
  std::vector<Block> blocks;
};

/// Throws Error.
Block parse(std::string_view text);

/// The text that `block` gives with these variables. Throws Error, also when it
/// takes more steps or gives more text than any conversation needs.
std::string render(const Block &block, Value variables);

} // namespace qwen::jinja

#endif
