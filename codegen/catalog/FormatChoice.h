// FormatChoice.h - which weight format each matrix gets: `--format`, read in
// one place.
#pragma once

#include "codegen/catalog/Catalog.h"

namespace qwen {

/// FORMAT, then +PIECE=FORMAT for the matrices whose name has that piece.
struct FormatChoice {
  /// Of a name, what keeps each tensor's own values.
  static constexpr std::string_view kStored = "stored";

  std::string format; // of every matrix that no piece fits
  std::vector<std::pair<std::string, std::string>> pieces; // piece -> format

  /// Checks every format against the catalog. The error goes after the option's
  /// name: "is `q3`; formats are stored, f32, ...".
  static std::optional<FormatChoice> parse(std::string_view text,
                                           const KernelCatalog &catalog,
                                           std::string &error);

  /// The format of the matrix with this name: the last piece that fits counts.
  const std::string &of(std::string_view name) const;
};

} // namespace qwen
