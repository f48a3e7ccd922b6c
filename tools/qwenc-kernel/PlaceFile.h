// PlaceFile.h - outputs of qwenc-kernel that appear whole or not at all.
#pragma once

#include <string>

namespace qwen {

/// Why no file can take the place of `path`, or "": a device, a pipe or a
/// socket would be lost by the rename.
std::string notReplaceable(const std::string &path);

/// Renames `scratch`, which is complete, to `path`. Returns why it could not,
/// with `scratch` removed, or "".
std::string placeFile(const std::string &scratch, const std::string &path);

/// Writes `text` beside `path`, then places it. Returns why it could not, or
/// "".
std::string writeFile(const std::string &path, const std::string &text);

} // namespace qwen
