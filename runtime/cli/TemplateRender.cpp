// TemplateRender.cpp - a parsed template and its variables to text.
#include "runtime/cli/TemplateTree.h"
#include "runtime/cli/TemplateValues.h"

#include <algorithm>

namespace qwen::jinja {
namespace {

// More than any conversation needs, little enough to end soon.
constexpr int64_t kMaxSteps = 1'000'000;
// A round of a loop makes its `loop` anew, which takes about as long.
constexpr int64_t kRoundSteps = 10;
constexpr size_t kMaxBytes = size_t{64} << 20;

// The arguments of a call, filter or test.
struct Arguments {
  std::vector<Value> given;
  std::vector<std::pair<std::string, Value>> named;
  int64_t line;

  Value at(size_t index, const char *name, Value otherwise) const {
    if (index < given.size())
      return given[index];
    for (const auto &[key, value] : named)
      if (key == name)
        return value;
    return otherwise;
  }
  std::optional<std::string> optionalText(size_t index,
                                          const char *name) const {
    Value value = at(index, name, Value());
    if (value.is_null())
      return std::nullopt;
    if (!value.is_string())
      throw Error(line, std::string("`") + name + "` is not a string");
    return value.get<std::string>();
  }
  std::string requiredText(size_t index, const char *name) const {
    std::optional<std::string> value = optionalText(index, name);
    if (!value)
      throw Error(line, std::string("`") + name + "` is missing");
    return *value;
  }
};

bool startsWith(const std::string &text, const std::string &part) {
  return text.compare(0, part.size(), part) == 0;
}
bool endsWith(const std::string &text, const std::string &part) {
  return text.size() >= part.size() &&
         text.compare(text.size() - part.size(), part.size(), part) == 0;
}

// ASCII only: what templates compare or write is ASCII.
std::string withCase(std::string text, bool upper) {
  for (char &c : text)
    if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z')
      c ^= 0x20;
  return text;
}

Value stringMethod(const std::string &name, const std::string &text,
                   const Arguments &arguments) {
  if (name == "strip" || name == "lstrip" || name == "rstrip")
    return strip(text, arguments.optionalText(0, "chars"), name != "rstrip",
                 name != "lstrip");
  if (name == "split") {
    std::optional<std::string> separator = arguments.optionalText(0, "sep");
    if ((separator && separator->empty()) || arguments.given.size() > 1)
      throw Error(arguments.line,
                  "`split` takes one separator that is not empty");
    return split(text, separator);
  }
  if (name == "startswith")
    return startsWith(text, arguments.requiredText(0, "prefix"));
  if (name == "endswith")
    return endsWith(text, arguments.requiredText(0, "suffix"));
  if (name == "replace")
    return replaceAll(text, arguments.requiredText(0, "old"),
                      arguments.requiredText(1, "new"));
  if (name == "upper" || name == "lower")
    return withCase(text, name == "upper");
  throw Error(arguments.line,
              "the method `" + name + "` of a string is not supported");
}

Value method(const std::string &name, const Value &self,
             const Arguments &arguments) {
  if (self.is_string())
    return stringMethod(name, self.get_ref<const std::string &>(), arguments);
  if (self.is_object()) {
    Value result = Value::array();
    if (name == "get") {
      Value found = element(self, arguments.at(0, "key", Value()));
      return isDefined(found) ? found : arguments.at(1, "default", Value());
    }
    if (name == "keys" || name == "values" || name == "items") {
      for (const auto &[key, value] : self.items())
        result.push_back(name == "keys"     ? Value(key)
                         : name == "values" ? value
                                            : Value::array({key, value}));
      return result;
    }
  }
  throw Error(arguments.line,
              "the method `" + name + "` is not supported here");
}

std::string joined(const Value &list, const std::string &separator,
                   int64_t line) {
  std::string result;
  for (size_t i = 0; i < list.size(); ++i) {
    result += (i == 0 ? "" : separator) + text(list[i]);
    if (result.size() > kMaxBytes)
      throw Error(line, "`join` gives too much text");
  }
  return result;
}

Value filter(const std::string &name, const Value &self,
             const Arguments &arguments) {
  if (name == "length" || name == "count")
    return static_cast<int64_t>(members(self, arguments.line).size());
  if (name == "tojson")
    return jsonText(self);
  if (name == "default" || name == "d") {
    bool alsoFalse = truth(arguments.at(1, "boolean", false));
    return isDefined(self) && (truth(self) || !alsoFalse)
               ? self
               : arguments.at(0, "default_value", "");
  }
  if (name == "trim")
    return strip(text(self), arguments.optionalText(0, "chars"), true, true);
  if (name == "string" || name == "safe")
    return text(self);
  if (name == "upper" || name == "lower")
    return withCase(text(self), name == "upper");
  if (name == "replace")
    return replaceAll(text(self), arguments.requiredText(0, "old"),
                      arguments.requiredText(1, "new"));
  if (name == "list")
    return members(self, arguments.line);
  if (name == "items" && self.is_object())
    return method(name, self, arguments);
  if (name == "first" || name == "last")
    return element(members(self, arguments.line), name == "first" ? 0 : -1);
  if (name == "join")
    return joined(members(self, arguments.line),
                  arguments.optionalText(0, "d").value_or(""), arguments.line);
  throw Error(arguments.line, "the filter `" + name + "` is not supported");
}

bool test(const std::string &name, const Value &self, int64_t line) {
  if (name == "defined" || name == "undefined")
    return isDefined(self) == (name == "defined");
  if (name == "none")
    return self.is_null();
  if (name == "string")
    return self.is_string();
  if (name == "mapping")
    return self.is_object();
  if (name == "sequence" || name == "iterable")
    return self.is_array() || self.is_object() || self.is_string();
  if (name == "number")
    return self.is_number() || self.is_boolean();
  if (name == "integer")
    return self.is_number_integer();
  if (name == "boolean")
    return self.is_boolean();
  if (name == "true" || name == "false")
    return self.is_boolean() && self.get<bool>() == (name == "true");
  throw Error(line, "the test `" + name + "` is not supported");
}

class Renderer {
public:
  explicit Renderer(Value variables) {
    scopes_.push_back(std::move(variables));
  }

  std::string run(const Block &block) {
    show(block);
    return std::move(out_);
  }

private:
  using Kind = Expression::Kind;

  void step(int64_t line, int64_t cost = 1) {
    steps_ += cost;
    if (steps_ > kMaxSteps)
      throw Error(line, "the template takes more than " +
                            std::to_string(kMaxSteps) + " steps");
  }

  Value *find(const std::string &name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (auto found = scope->find(name); found != scope->end())
        return &*found;
    return nullptr;
  }

  void show(const Block &block) {
    for (const Statement &statement : block) {
      step(statement.line);
      switch (statement.kind) {
      case Statement::Kind::kText:
        write(statement.text, statement.line);
        break;
      case Statement::Kind::kOutput:
        write(text(eval(*statement.value)), statement.line);
        break;
      case Statement::Kind::kIf:
        choose(statement);
        break;
      case Statement::Kind::kFor:
        loop(statement);
        break;
      case Statement::Kind::kSet:
        assign(statement);
        break;
      }
    }
  }

  void write(const std::string &text, int64_t line) {
    out_ += text;
    if (out_.size() > kMaxBytes)
      throw Error(line, "the template gives more than " +
                            std::to_string(kMaxBytes) + " bytes");
  }

  void choose(const Statement &statement) {
    size_t branch = 0;
    while (branch < statement.conditions.size() &&
           !truth(eval(*statement.conditions[branch])))
      ++branch;
    if (branch < statement.blocks.size())
      show(statement.blocks[branch]);
  }

  void bind(const Statement &statement, const Value &member) {
    if (statement.names.size() == 1) {
      scopes_.back()[statement.names[0]] = member;
      return;
    }
    if (!member.is_array() || member.size() != statement.names.size())
      throw Error(statement.line, "a member does not have " +
                                      std::to_string(statement.names.size()) +
                                      " parts");
    for (size_t i = 0; i < member.size(); ++i)
      scopes_.back()[statement.names[i]] = member[i];
  }

  void loop(const Statement &statement) {
    Value all = members(eval(*statement.value), statement.line),
          chosen = Value::array();
    scopes_.push_back(Value::object());
    if (statement.conditions.empty())
      std::swap(all, chosen);
    for (Value &member : all) {
      step(statement.line);
      bind(statement, member);
      if (truth(eval(*statement.conditions[0])))
        chosen.push_back(std::move(member));
    }
    auto count = static_cast<int64_t>(chosen.size());
    for (int64_t i = 0; i < count; ++i) {
      step(statement.line, kRoundSteps);
      // What is set in one round is gone in the next.
      scopes_.back() = Value::object();
      bind(statement, chosen[static_cast<size_t>(i)]);
      Value state = {{"index", i + 1},        {"index0", i},
                     {"revindex", count - i}, {"revindex0", count - i - 1},
                     {"first", i == 0},       {"last", i + 1 == count},
                     {"length", count}};
      if (i > 0)
        state["previtem"] = chosen[static_cast<size_t>(i - 1)];
      if (i + 1 < count)
        state["nextitem"] = chosen[static_cast<size_t>(i + 1)];
      scopes_.back()["loop"] = std::move(state);
      show(statement.blocks[0]);
    }
    scopes_.pop_back();
    if (count == 0 && statement.blocks.size() > 1)
      show(statement.blocks[1]);
  }

  void assign(const Statement &statement) {
    Value value = eval(*statement.value);
    if (statement.names.size() == 1) {
      scopes_.back()[statement.names[0]] = std::move(value);
      return;
    }
    // A namespace is one object wherever it is set from.
    Value *space = find(statement.names[0]);
    if (!space || !space->is_object())
      throw Error(statement.line,
                  "`" + statement.names[0] + "` is no namespace");
    (*space)[statement.names[1]] = std::move(value);
  }

  // The variable that a name means, so that a conversation is not copied to
  // look at one message; nullptr if `e` is no name or there is none.
  const Value *place(const Expression &e) {
    return e.kind == Kind::kName ? find(e.text) : nullptr;
  }

  Value eval(const Expression &e) {
    step(e.line);
    switch (e.kind) {
    case Kind::kLiteral:
      return e.value;
    case Kind::kName: {
      const Value *found = find(e.text);
      return found ? *found : undefined();
    }
    case Kind::kList:
    case Kind::kMap:
      return collection(e);
    case Kind::kAttribute:
    case Kind::kIndex: {
      Value name = e.kind == Kind::kIndex ? eval(*e.parts[1]) : Value(e.text);
      if (const Value *self = place(*e.parts[0]))
        return attribute(e, *self, name);
      return attribute(e, eval(*e.parts[0]), name);
    }
    case Kind::kSlice: {
      auto bound = [&](size_t i) {
        return e.parts[i] ? eval(*e.parts[i]) : Value();
      };
      return slice(eval(*e.parts[0]), bound(1), bound(2), bound(3), e.line);
    }
    case Kind::kCall:
      return call(e.text, arguments(e, 0));
    case Kind::kMethod:
      return method(e.text, eval(*e.parts[0]), arguments(e, 1));
    case Kind::kFilter:
      if (const Value *self = place(*e.parts[0]))
        return filter(e.text, *self, arguments(e, 1));
      return filter(e.text, eval(*e.parts[0]), arguments(e, 1));
    case Kind::kTest:
      return test(e.text, eval(*e.parts[0]), e.line);
    case Kind::kUnary:
      if (e.text == "not")
        return !truth(eval(*e.parts[0]));
      return binary(e.text, 0, eval(*e.parts[0]), e.line);
    case Kind::kBinary:
      return binaryOrLogic(e);
    case Kind::kConditional:
      if (truth(eval(*e.parts[0])))
        return eval(*e.parts[1]);
      return e.parts[2] ? eval(*e.parts[2]) : undefined();
    }
    return undefined();
  }

  Value binaryOrLogic(const Expression &e) {
    Value left = eval(*e.parts[0]);
    if (e.text == "and" || e.text == "or")
      return truth(left) == (e.text == "or") ? left : eval(*e.parts[1]);
    Value result = binary(e.text, left, eval(*e.parts[1]), e.line);
    if (result.is_string() &&
        result.get_ref<const std::string &>().size() > kMaxBytes)
      throw Error(e.line, "a string of more than " + std::to_string(kMaxBytes) +
                              " bytes");
    return result;
  }

  Value collection(const Expression &e) {
    Value result = e.kind == Kind::kMap ? Value::object() : Value::array();
    for (size_t i = 0; i < e.parts.size(); ++i) {
      Value part = eval(*e.parts[i]);
      if (e.kind == Kind::kList)
        result.push_back(std::move(part));
      else if (part.is_string())
        result[part.get<std::string>()] = eval(*e.parts[++i]);
      else
        throw Error(e.line, "the key of a map is not a string");
    }
    return result;
  }

  static Value attribute(const Expression &e, const Value &self,
                         const Value &name) {
    if (!isDefined(self))
      throw Error(e.line, "`" + text(name) + "` of something undefined");
    return element(self, name);
  }

  Arguments arguments(const Expression &e, size_t from) {
    Arguments result{{}, {}, e.line};
    for (size_t i = from; i < e.parts.size(); ++i)
      result.given.push_back(eval(*e.parts[i]));
    for (const auto &[key, value] : e.named)
      result.named.emplace_back(key, eval(*value));
    return result;
  }

  static Value call(const std::string &name, const Arguments &arguments) {
    if (name == "namespace" || name == "dict") {
      Value space = Value::object();
      for (const auto &[key, value] : arguments.named)
        space[key] = value;
      return space;
    }
    if (name == "raise_exception")
      throw Error(arguments.line, text(arguments.at(0, "message", "")));
    if (name == "range") {
      Value first = arguments.given.size() > 1 ? arguments.given[0] : Value(0);
      Value last =
          arguments.at(arguments.given.size() > 1 ? 1 : 0, "stop", Value());
      if (arguments.given.size() > 2 || !first.is_number_integer() ||
          !last.is_number_integer() ||
          last.get<double>() - first.get<double>() > kMaxSteps)
        throw Error(arguments.line,
                    "`range` takes one or two integers, at most " +
                        std::to_string(kMaxSteps) + " apart");
      Value list = Value::array();
      for (auto i = first.get<int64_t>(); i < last.get<int64_t>(); ++i)
        list.push_back(i);
      return list;
    }
    throw Error(arguments.line, "the function `" + name + "` is not supported");
  }

  std::vector<Value> scopes_;
  std::string out_;
  int64_t steps_ = 0;
};

} // namespace

std::string render(const Block &block, Value variables) {
  return Renderer(std::move(variables)).run(block);
}

} // namespace qwen::jinja
