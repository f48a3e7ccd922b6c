// BinaryWriter.h - little-endian pieces of the binary files that tests make.
#pragma once

#include "frontend/weights/Gguf.h"
#include "frontend/weights/Safetensors.h"

#include <cstdint>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

namespace qwen {

class BinaryWriter {
public:
  template <typename T> BinaryWriter &number(T value) {
    char buffer[sizeof(T)];
    std::memcpy(buffer, &value, sizeof(T));
    data.append(buffer, sizeof(T));
    return *this;
  }
  BinaryWriter &raw(const std::string &text) {
    data += text;
    return *this;
  }
  /// A u64 length, then the bytes: a GGUF string, and a safetensors header.
  BinaryWriter &text(const std::string &value) {
    return number(uint64_t(value.size())).raw(value);
  }
  BinaryWriter &zeros(size_t count) {
    data.append(count, '\0');
    return *this;
  }
  BinaryWriter &align(size_t multiple) {
    return zeros((multiple - data.size() % multiple) % multiple);
  }
  BinaryWriter &ggufHead(uint64_t tensors, uint64_t keys,
                         uint32_t version = 3) {
    return raw("GGUF").number(version).number(tensors).number(keys);
  }
  BinaryWriter &ggufText(const std::string &key, const std::string &value) {
    return text(key).number(uint32_t(8)).text(value);
  }
  BinaryWriter &ggufInteger(const std::string &key, uint32_t value) {
    return text(key).number(uint32_t(4)).number(value);
  }
  BinaryWriter &ggufReal(const std::string &key, float value) {
    return text(key).number(uint32_t(6)).number(value);
  }
  /// `dims` fastest first, as in the file.
  BinaryWriter &ggufTensor(const std::string &name,
                           const std::vector<uint64_t> &dims, uint32_t type,
                           uint64_t offset) {
    text(name).number(uint32_t(dims.size()));
    for (uint64_t extent : dims)
      number(extent);
    return number(type).number(offset);
  }

  std::string data;
};

} // namespace qwen
