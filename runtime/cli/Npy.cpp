// Npy.cpp - the header of a NumPy file.
#include "runtime/cli/Npy.h"

namespace qwen {

std::string npyHeader(int64_t rows, int64_t columns) {
  std::string dictionary =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
      std::to_string(rows) + ", " + std::to_string(columns) + "), }";
  constexpr size_t kPrefixBytes = 10, kAlignment = 64;
  while ((kPrefixBytes + dictionary.size() + 1) % kAlignment != 0)
    dictionary += ' ';
  dictionary += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dictionary.size() & 0xff);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

} // namespace qwen
