// Safetensors.h - arrays with names, as one safetensors file.
//
// Source  safetensors format description
#ifndef QWEN_RUNTIME_CLI_SAFETENSORS_H
#define QWEN_RUNTIME_CLI_SAFETENSORS_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace qwen {

struct NamedArray {
  std::string name;
  const char *type; // "F32", "I32", "I16", "I8"
  int64_t rows, columns;
  std::vector<uint8_t> bytes; // rows x columns elements
};

/// Writes `arrays` in their order, with `metadata` in the header.
Status writeSafetensors(const std::string &path,
                        const std::vector<NamedArray> &arrays,
                        const std::map<std::string, std::string> &metadata);

} // namespace qwen

#endif
