// FormatChoice.cpp - FORMAT+PIECE=FORMAT, taken apart.
#include "codegen/catalog/FormatChoice.h"

namespace qwen {

std::optional<FormatChoice> FormatChoice::parse(std::string_view text,
                                                const KernelCatalog &catalog,
                                                std::string &error) {
  FormatChoice choice;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find('+', start), text.size());
    const std::string part(text.substr(start, end - start));
    std::string name = part;
    if (start > 0) {
      const size_t equals = part.find('=');
      if (equals == 0 || equals == std::string::npos) {
        error = "has `" + part + "` after a `+`; it takes +PIECE=FORMAT there";
        return std::nullopt;
      }
      name = part.substr(equals + 1);
      choice.pieces.emplace_back(part.substr(0, equals), name);
    } else {
      choice.format = name;
    }
    if (name != kStored && !catalog.format(name)) {
      error = "is `" + name + "`; formats are " + std::string(kStored);
      for (const CatalogFormat &known : catalog.formats)
        error += ", " + known.name;
      return std::nullopt;
    }
    start = end + 1;
  }
  return choice;
}

const std::string &FormatChoice::of(std::string_view name) const {
  const std::string *wanted = &format;
  for (const auto &[piece, own] : pieces)
    if (name.find(piece) != std::string_view::npos)
      wanted = &own;
  return *wanted;
}

} // namespace qwen
