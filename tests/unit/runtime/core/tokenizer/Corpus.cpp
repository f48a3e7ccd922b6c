// Corpus.cpp - reads the files of this folder; a missing or short one ends the
// test program.
#include "tests/unit/runtime/core/tokenizer/Corpus.h"

#include "frontend/tokenizer/TokenizerImport.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

namespace qwen {
namespace {

constexpr const char *kFolder = "tests/unit/runtime/core/tokenizer/";
constexpr size_t kFewestStrings = 2000;

std::vector<std::string> readLines(const std::string &name) {
  std::ifstream in(std::string(QWENC_SOURCE_DIR) + "/" + kFolder + name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  if (lines.size() < kFewestStrings) {
    std::cerr << name << ": " << lines.size() << " lines\n";
    std::abort();
  }
  return lines;
}

std::string unescape(const std::string &line) {
  std::string text;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      text.push_back(line[i]);
    } else if (line.at(i + 1) == '\\') {
      text.push_back('\\');
      ++i;
    } else { // \xNN
      text.push_back(
          static_cast<char>(std::stoi(line.substr(i + 2, 2), nullptr, 16)));
      i += 3;
    }
  }
  return text;
}

} // namespace

std::vector<std::string> readStrings() {
  std::vector<std::string> strings;
  for (const std::string &line : readLines("strings.txt"))
    strings.push_back(unescape(line));
  return strings;
}

std::vector<std::vector<int32_t>> readIds(const std::string &name) {
  std::vector<std::string> lines = readLines(name);
  std::vector<std::vector<int32_t>> ids;
  for (size_t i = 1; i < lines.size(); ++i) {
    std::istringstream in(lines[i]);
    ids.emplace_back();
    for (int32_t id; in >> id;)
      ids.back().push_back(id);
  }
  return ids;
}

std::vector<uint8_t> importTable(const std::string &path) {
  Diagnostics diags(std::cerr);
  constexpr int64_t kRows = 1 << 20;
  auto table = importTokenizerJson(std::string(QWENC_SOURCE_DIR) + "/" + path,
                                   kRows, diags);
  if (!table)
    std::abort();
  return std::move(*table);
}

std::vector<uint8_t> smallTable() {
  return importTable(std::string(kFolder) + "small/tokenizer.json");
}

} // namespace qwen
