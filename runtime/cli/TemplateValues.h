// TemplateValues.h - what Python would do with a template's values.
#ifndef QWEN_RUNTIME_CLI_TEMPLATEVALUES_H
#define QWEN_RUNTIME_CLI_TEMPLATEVALUES_H

#include "runtime/cli/TemplateTree.h"

#include <optional>

namespace qwen::jinja {

inline Value undefined() { return Value(Value::value_t::discarded); }
inline bool isDefined(const Value &value) { return !value.is_discarded(); }

bool truth(const Value &value);

/// As `{{ }}` writes it.
std::string text(const Value &value);

/// Python's json.dumps(ensure_ascii=False).
std::string jsonText(const Value &value);

/// `text` without the characters of `set` (blanks if there is none) at its
/// start and end, where asked for.
std::string strip(const std::string &text,
                  const std::optional<std::string> &set, bool start, bool end);

/// str.split; blanks if there is no separator.
Value split(const std::string &text,
            const std::optional<std::string> &separator);

std::string replaceAll(const std::string &text, const std::string &from,
                       const std::string &to);

/// value[index]; undefined where there is nothing.
Value element(const Value &value, const Value &index);

/// value[from:to:step] of a list or string; null bounds are absent.
Value slice(const Value &value, const Value &from, const Value &to,
            const Value &step, int64_t line);

/// The members that a loop goes through: a list's elements, a map's keys, a
/// string's characters.
Value members(const Value &value, int64_t line);

/// `left operator right` for all but `and` and `or`.
Value binary(const std::string &operation, const Value &left,
             const Value &right, int64_t line);

} // namespace qwen::jinja

#endif
