// Recipe.cpp - assembles the little-endian binary files of error tests.
#include "tests/errors/Recipe.h"

#include <cstdint>
#include <cstring>
#include <sstream>

namespace qwen {
namespace {

template <typename T> void append(std::string &out, T value) {
  char buffer[sizeof(T)];
  std::memcpy(buffer, &value, sizeof(T));
  out.append(buffer, sizeof(T));
}

/// Appends every number of `rest` as a T.
template <typename T> bool appendAll(std::string &out, std::istream &rest) {
  std::string word;
  bool any = false;
  while (rest >> word) {
    char *end = nullptr;
    if constexpr (std::is_same_v<T, float>)
      append(out, std::strtof(word.c_str(), &end));
    else if (word[0] == '-')
      append(out, T(std::strtoll(word.c_str(), &end, 0)));
    else
      append(out, T(std::strtoull(word.c_str(), &end, 0)));
    if (*end != '\0')
      return false;
    any = true;
  }
  return any;
}

bool appendPiece(std::string &out, const std::string &line) {
  size_t space = line.find(' ');
  std::string word = line.substr(0, space);
  std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
  std::istringstream numbers(rest);
  if (word == "raw") {
    out += rest;
  } else if (word == "text") {
    append(out, uint64_t(rest.size()));
    out += rest;
  } else if (word == "zeros" || word == "align") {
    size_t number = 0;
    if (!(numbers >> number) || number == 0)
      return false;
    out.append(word == "zeros" ? number
                               : (number - out.size() % number) % number,
               '\0');
  } else if (word == "u8") {
    return appendAll<uint8_t>(out, numbers);
  } else if (word == "u16") {
    return appendAll<uint16_t>(out, numbers);
  } else if (word == "u32") {
    return appendAll<uint32_t>(out, numbers);
  } else if (word == "i32") {
    return appendAll<int32_t>(out, numbers);
  } else if (word == "u64") {
    return appendAll<uint64_t>(out, numbers);
  } else if (word == "f32") {
    return appendAll<float>(out, numbers);
  } else {
    return false;
  }
  return true;
}

} // namespace

std::optional<std::string> assembleRecipe(const std::string &text,
                                          std::string &problem) {
  std::istringstream lines(text);
  std::string line, out;
  while (std::getline(lines, line)) {
    if (line.empty() || line[0] == '#')
      continue;
    if (!appendPiece(out, line)) {
      problem = line;
      return std::nullopt;
    }
  }
  return out;
}

} // namespace qwen
