// TemplateValues.cpp - truth, text, indices and operators of Python on JSON
// values.
#include "runtime/cli/TemplateValues.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace qwen::jinja {
namespace {

constexpr char kBlanks[] = " \t\n\r\v\f";

// Characters, not bytes, as Python counts them; a broken byte counts as one.
std::vector<std::string> characters(const std::string &text) {
  std::vector<std::string> result;
  for (char c : text) {
    bool continues = (static_cast<uint8_t>(c) & 0xc0) == 0x80;
    if (continues && !result.empty())
      result.back() += c;
    else
      result.emplace_back(1, c);
  }
  return result;
}

// Python's repr of a value inside a list or map.
std::string representation(const Value &value) {
  if (value.is_string()) {
    const auto &plain = value.get_ref<const std::string &>();
    bool hasSingle = plain.find('\'') != std::string::npos,
         hasDouble = plain.find('"') != std::string::npos;
    char quote = hasSingle && !hasDouble ? '"' : '\'';
    std::string result(1, quote);
    for (char c : plain) {
      if (c == quote || c == '\\')
        result += '\\';
      result += c == '\n' ? "\\n" : std::string(1, c);
    }
    return result + quote;
  }
  if (!value.is_structured())
    return text(value);
  std::string result(1, value.is_object() ? '{' : '[');
  for (auto it = value.begin(); it != value.end(); ++it) {
    if (it != value.begin())
      result += ", ";
    if (value.is_object())
      result += representation(Value(it.key())) + ": ";
    result += representation(*it);
  }
  return result + (value.is_object() ? '}' : ']');
}

std::string typeName(const Value &value) {
  return isDefined(value) ? value.type_name() : "undefined";
}

} // namespace

bool truth(const Value &value) {
  if (value.is_boolean())
    return value.get<bool>();
  if (value.is_number())
    return value.get<double>() != 0;
  if (value.is_string())
    return !value.get_ref<const std::string &>().empty();
  return value.is_structured() && !value.empty();
}

std::string text(const Value &value) {
  if (!isDefined(value))
    return "";
  if (value.is_string())
    return value.get<std::string>();
  if (value.is_boolean())
    return value.get<bool>() ? "True" : "False";
  if (value.is_null())
    return "None";
  return value.is_structured() ? representation(value) : jsonText(value);
}

std::string jsonText(const Value &value) {
  if (!value.is_structured())
    return isDefined(value)
               ? value.dump(-1, ' ', false, Value::error_handler_t::replace)
               : "null";
  std::string result(1, value.is_object() ? '{' : '[');
  for (auto it = value.begin(); it != value.end(); ++it) {
    if (it != value.begin())
      result += ", ";
    if (value.is_object())
      result += jsonText(Value(it.key())) + ": ";
    result += jsonText(*it);
  }
  return result + (value.is_object() ? '}' : ']');
}

std::string strip(const std::string &text,
                  const std::optional<std::string> &set, bool start, bool end) {
  const std::string &drop = set ? *set : kBlanks;
  size_t first = start ? text.find_first_not_of(drop) : 0;
  if (first == std::string::npos)
    return "";
  size_t last = end ? text.find_last_not_of(drop) : text.size() - 1;
  return last == std::string::npos ? "" : text.substr(first, last - first + 1);
}

Value split(const std::string &text,
            const std::optional<std::string> &separator) {
  Value parts = Value::array();
  if (separator) {
    size_t at = 0;
    for (size_t found; (found = text.find(*separator, at)) != std::string::npos;
         at = found + separator->size())
      parts.push_back(text.substr(at, found - at));
    parts.push_back(text.substr(at));
    return parts;
  }
  for (size_t at = 0;
       (at = text.find_first_not_of(kBlanks, at)) != std::string::npos;) {
    size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end;
  }
  return parts;
}

std::string replaceAll(const std::string &text, const std::string &from,
                       const std::string &to) {
  if (from.empty())
    return text;
  std::string result;
  size_t at = 0;
  for (size_t found; (found = text.find(from, at)) != std::string::npos;
       at = found + from.size())
    result.append(text, at, found - at).append(to);
  return result.append(text, at);
}

Value element(const Value &value, const Value &index) {
  if (value.is_object() && index.is_string()) {
    auto found = value.find(index.get_ref<const std::string &>());
    return found == value.end() ? undefined() : *found;
  }
  if (!index.is_number_integer() || !(value.is_array() || value.is_string()))
    return undefined();
  Value letters = value.is_string() ? members(value, 0) : Value();
  const Value &list = value.is_string() ? letters : value;
  auto count = static_cast<int64_t>(list.size()), at = index.get<int64_t>();
  if (at < 0)
    at += count;
  return at < 0 || at >= count ? undefined() : list[static_cast<size_t>(at)];
}

Value slice(const Value &value, const Value &from, const Value &to,
            const Value &step, int64_t line) {
  if (!value.is_array() && !value.is_string())
    throw Error(line, "a slice of " + typeName(value));
  for (const Value *bound : {&from, &to, &step})
    if (!bound->is_null() && !bound->is_number_integer())
      throw Error(line, "a bound of a slice is " + typeName(*bound));
  Value list = members(value, line);
  auto count = static_cast<int64_t>(list.size());
  int64_t stride = step.is_null() ? 1 : step.get<int64_t>();
  if (stride == 0)
    throw Error(line, "a slice with step 0");
  // Python's rule: bounds count from the end if negative, and are cut to what
  // can be reached.
  int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? count : count - 1;
  auto bound = [&](const Value &given, int64_t otherwise) {
    if (given.is_null())
      return otherwise;
    auto at = given.get<int64_t>();
    return std::clamp(at < 0 ? std::max(at, -count - 1) + count : at, low,
                      high);
  };
  int64_t first = bound(from, stride > 0 ? low : high),
          last = bound(to, stride > 0 ? high : low);
  Value result = Value::array();
  // Steps longer than the list reach one element.
  stride = std::clamp(stride, -count - 1, count + 1);
  for (int64_t at = first; stride > 0 ? at < last : at > last; at += stride)
    result.push_back(list[static_cast<size_t>(at)]);
  if (!value.is_string())
    return result;
  std::string joined;
  for (const Value &part : result)
    joined += part.get_ref<const std::string &>();
  return joined;
}

Value members(const Value &value, int64_t line) {
  if (value.is_array())
    return value;
  Value result = Value::array();
  if (value.is_object()) {
    for (const auto &[key, part] : value.items())
      result.push_back(key);
  } else if (value.is_string()) {
    for (std::string &part : characters(value.get_ref<const std::string &>()))
      result.push_back(std::move(part));
  } else if (isDefined(value)) {
    throw Error(line, "a loop through " + typeName(value));
  }
  return result;
}

namespace {

bool contains(const Value &whole, const Value &part, int64_t line) {
  if (whole.is_string() && part.is_string())
    return whole.get_ref<const std::string &>().find(
               part.get_ref<const std::string &>()) != std::string::npos;
  if (whole.is_object())
    return part.is_string() &&
           whole.contains(part.get_ref<const std::string &>());
  if (whole.is_array())
    return std::find(whole.begin(), whole.end(), part) != whole.end();
  throw Error(line, "`in` of " + typeName(whole));
}

Value arithmetic(const std::string &operation, const Value &left,
                 const Value &right, int64_t line) {
  char sign = operation[0];
  bool whole = left.is_number_integer() && right.is_number_integer();
  if (operation != "/" && whole) {
    auto a = left.get<int64_t>(), b = right.get<int64_t>(), result = int64_t{0};
    bool overflow = false;
    if (sign == '+')
      overflow = __builtin_add_overflow(a, b, &result);
    else if (sign == '-')
      overflow = __builtin_sub_overflow(a, b, &result);
    else if (sign == '*')
      overflow = __builtin_mul_overflow(a, b, &result);
    else if (b == 0 || b == -1)
      overflow = b == 0 || (sign != '%' &&
                            __builtin_sub_overflow(int64_t{0}, a, &result));
    else
      result = sign == '%' ? (a % b + b) % b
                           : a / b - (a % b != 0 && (a < 0) != (b < 0));
    if (overflow)
      throw Error(line, "`" + operation + "` has no result");
    return result;
  }
  double a = left.get<double>(), b = right.get<double>();
  if (b == 0 && (sign == '/' || sign == '%'))
    throw Error(line, "division by zero");
  if (operation == "//")
    return std::floor(a / b);
  return sign == '+'   ? a + b
         : sign == '-' ? a - b
         : sign == '*' ? a * b
         : sign == '/' ? a / b
                       : a - b * std::floor(a / b);
}

} // namespace

Value binary(const std::string &operation, const Value &left,
             const Value &right, int64_t line) {
  if (operation == "==" || operation == "!=") {
    // JSON's own comparison holds a discarded value unequal to itself.
    bool equal = isDefined(left) && isDefined(right)
                     ? left == right
                     : isDefined(left) == isDefined(right);
    return equal == (operation == "==");
  }
  if (operation == "in")
    return contains(right, left, line);
  if (operation == "~")
    return text(left) + text(right);
  bool numbers = left.is_number() && right.is_number(),
       strings = left.is_string() && right.is_string();
  if (strchr("<>", operation[0]) && (numbers || strings)) {
    if (operation == "<")
      return left < right;
    if (operation == ">")
      return left > right;
    return operation == "<=" ? left <= right : left >= right;
  }
  if (operation == "+" && strings)
    return left.get_ref<const std::string &>() +
           right.get_ref<const std::string &>();
  if (operation == "+" && left.is_array() && right.is_array()) {
    Value joined = left;
    joined.insert(joined.end(), right.begin(), right.end());
    return joined;
  }
  if (numbers && !strchr("<>", operation[0]))
    return arithmetic(operation, left, right, line);
  throw Error(line, "`" + operation + "` of " + typeName(left) + " and " +
                        typeName(right));
}

} // namespace qwen::jinja
