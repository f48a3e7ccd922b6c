// Ids.cpp - reading token ids.
#include "runtime/cli/Ids.h"
#include "runtime/cli/Files.h"

#include <charconv>

namespace qwen {
namespace {

bool separates(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

} // namespace

Result<std::vector<int32_t>>
parseIds(std::string_view text, const std::string &path, int64_t vocabSize) {
  std::vector<int32_t> ids;
  int64_t line = 1;
  size_t lineStart = 0;
  for (size_t at = 0; at < text.size();) {
    if (separates(text[at])) {
      if (text[at++] == '\n') {
        ++line;
        lineStart = at;
      }
      continue;
    }
    size_t end = at;
    while (end < text.size() && !separates(text[end]))
      ++end;
    std::string_view word = text.substr(at, end - at);
    std::string where = path + ":" + std::to_string(line) + ":" +
                        std::to_string(at - lineStart + 1);
    int64_t id = 0;
    auto [stop, error] =
        std::from_chars(word.data(), word.data() + word.size(), id);
    if (stop != word.data() + word.size() ||
        error == std::errc::invalid_argument)
      return Status::invalid("`%s` is not a token id",
                             printable(word.substr(0, 40)).c_str())
          .at(where);
    if (error == std::errc::result_out_of_range || id < 0 || id >= vocabSize)
      return Status::invalid("token id %s is not in 0 to %lld",
                             printable(word.substr(0, 40)).c_str(),
                             static_cast<long long>(vocabSize - 1))
          .at(where);
    ids.push_back(static_cast<int32_t>(id));
    at = end;
  }
  return ids;
}

Result<std::vector<int32_t>> readIds(const std::string &path,
                                     int64_t vocabSize) {
  Result<std::string> text = readFile(path);
  if (!text.ok())
    return text.status();
  return parseIds(*text, path == "-" ? "stdin" : path, vocabSize);
}

} // namespace qwen
