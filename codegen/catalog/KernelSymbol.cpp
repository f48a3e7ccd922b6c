// KernelSymbol.cpp - printing and parsing of kernel symbols.
#include "codegen/catalog/KernelSymbol.h"

#include <algorithm>
#include <charconv>

namespace qwen {
namespace {

std::vector<std::string_view> split(std::string_view text,
                                    std::string_view separator) {
  std::vector<std::string_view> parts;
  for (size_t at = 0;;) {
    size_t end = text.find(separator, at);
    parts.push_back(
        text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos)
      return parts;
    at = end + separator.size();
  }
}

bool parseNumber(std::string_view text, int64_t &value) {
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error == std::errc() &&
         end == text.data() + text.size() && value >= 0;
}

} // namespace

std::string KernelSymbol::str() const {
  std::string text = "qk_" + kernel + "__";
  for (size_t i = 0; i < options.size(); ++i)
    text += (i ? "_" : "") + options[i];
  if (options.empty())
    text += "plain";
  text += "__";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i ? "_" : "") + dims[i].first + std::to_string(dims[i].second);
  text += "__" + target + "_p";
  for (size_t i = 0; i < point.size(); ++i)
    text += (i ? "x" : "") + std::to_string(point[i]);
  return text;
}

std::optional<KernelSymbol> KernelSymbol::parse(std::string_view text) {
  if (text.substr(0, 3) != "qk_")
    return std::nullopt;
  std::vector<std::string_view> fields = split(text.substr(3), "__");
  if (fields.size() != 4 || fields[0].empty())
    return std::nullopt;
  KernelSymbol symbol;
  symbol.kernel = fields[0];
  if (fields[1] != "plain")
    for (std::string_view option : split(fields[1], "_")) {
      if (option.empty())
        return std::nullopt;
      symbol.options.emplace_back(option);
    }
  for (std::string_view dim : split(fields[2], "_")) {
    size_t letters = 0;
    while (letters < dim.size() && dim[letters] >= 'a' && dim[letters] <= 'z')
      ++letters;
    int64_t value = 0;
    if (letters == 0 || !parseNumber(dim.substr(letters), value))
      return std::nullopt;
    symbol.dims.emplace_back(std::string(dim.substr(0, letters)), value);
  }
  size_t bar = fields[3].rfind("_p");
  if (bar == std::string_view::npos || bar == 0)
    return std::nullopt;
  symbol.target = fields[3].substr(0, bar);
  std::string_view point = fields[3].substr(bar + 2);
  if (!point.empty())
    for (std::string_view knob : split(point, "x")) {
      int64_t value = 0;
      if (!parseNumber(knob, value))
        return std::nullopt;
      symbol.point.push_back(value);
    }
  return symbol;
}

int64_t KernelSymbol::dim(std::string_view name) const {
  for (const auto &[key, value] : dims)
    if (key == name)
      return value;
  return -1;
}

bool KernelSymbol::has(std::string_view option) const {
  return std::find(options.begin(), options.end(), option) != options.end();
}

} // namespace qwen
