// Recipe.h - binary files written as text, one piece a line; README.md has the
// words.
#pragma once

#include <optional>
#include <string>

namespace qwen {

/// Nothing when a line is not understood; `problem` then says which.
std::optional<std::string> assembleRecipe(const std::string &text,
                                          std::string &problem);

} // namespace qwen
