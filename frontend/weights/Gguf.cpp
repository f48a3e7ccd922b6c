// Gguf.cpp - the GGUF header parser.
//
// Units  offsets in the file are relative to its tensor section; dimensions are
//        stored fastest first and reversed here
#include "frontend/weights/Gguf.h"

#include "frontend/weights/ByteRanges.h"
#include "frontend/weights/StoredType.h"

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <filesystem>

namespace qwen {
namespace {

// Far above any real file, and low enough that what a header makes us hold
// stays in proportion to the bytes it has.
constexpr uint64_t kMostKeys = 1 << 16;
constexpr uint64_t kMostTensors = 1 << 20;
constexpr uint64_t kLongestName = 1 << 16;
constexpr uint64_t kLongestText = 1 << 26;
constexpr uint64_t kMostElements = 1 << 22; // of all arrays together
constexpr int64_t kLargestHeader = 1 << 28;
constexpr uint64_t kMostDimensions = 4;
constexpr int64_t kDefaultAlignment = 32;

enum ValueType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

/// Bytes that one value of the type takes at least; 0 for an unknown type.
int64_t leastBytes(uint32_t type) {
  switch (type) {
  case kUint8:
  case kInt8:
  case kBool:
    return 1;
  case kUint16:
  case kInt16:
    return 2;
  case kUint32:
  case kInt32:
  case kFloat32:
    return 4;
  case kUint64:
  case kInt64:
  case kFloat64:
  case kString:
    return 8;
  default:
    return 0;
  }
}

class GgufReader {
public:
  GgufReader(std::istream &in, int64_t fileBytes, const std::string &path,
             Diagnostics &diags)
      : in(in), fileBytes(fileBytes), path(path), diags(diags) {
    header.metadata.path = path;
  }

  bool read() {
    char magic[4];
    uint32_t version = 0;
    uint64_t tensors = 0, keys = 0;
    if (!bytes(magic, sizeof magic, "the magic"))
      return false;
    if (std::memcmp(magic, "GGUF", sizeof magic) != 0)
      return fail(diag::GgufBadMagic, std::string_view(magic, sizeof magic));
    if (!number(version, "the version"))
      return false;
    if (version != 2 && version != 3)
      return fail(diag::GgufVersion, int64_t(version));
    if (!count(tensors, kMostTensors, "tensors") ||
        !count(keys, kMostKeys, "metadata keys"))
      return false;
    for (uint64_t i = 0; i < keys; ++i)
      if (!readPair())
        return false;
    for (uint64_t i = 0; i < tensors; ++i)
      if (!readTensor())
        return false;
    return placeTensors();
  }

  GgufHeader header;

private:
  template <typename... Args>
  bool fail(const Diag<Args...> &kind,
            const std::type_identity_t<Args> &...args) {
    diags.error(kind, {path}, args...);
    return false;
  }

  int64_t remaining() const { return fileBytes - position; }

  bool bytes(void *out, int64_t size, std::string_view what) {
    if (size > remaining() ||
        !in.read(static_cast<char *>(out), std::streamsize(size)))
      return fail(diag::GgufTruncated, what, position, fileBytes);
    position += size;
    if (position > kLargestHeader)
      return fail(diag::GgufCount, std::to_string(position), "bytes of header",
                  kLargestHeader);
    return true;
  }

  template <typename T> bool number(T &out, std::string_view what) {
    static_assert(std::endian::native == std::endian::little);
    return bytes(&out, sizeof out, what);
  }

  bool count(uint64_t &out, uint64_t most, std::string_view what) {
    if (!number(out, what))
      return false;
    if (out > most)
      return fail(diag::GgufCount, std::to_string(out), what, int64_t(most));
    return true;
  }

  bool text(std::string &out, uint64_t longest, std::string_view what) {
    uint64_t size = 0;
    if (!count(size, longest, "bytes of text"))
      return false;
    if (int64_t(size) > remaining())
      return fail(diag::GgufTruncated, what, position, fileBytes);
    out.resize(size);
    return bytes(out.data(), int64_t(size), what);
  }

  bool readPair() {
    std::string key;
    uint32_t type = 0;
    if (!text(key, kLongestName, "a metadata key") || !number(type, key))
      return false;
    GgufValue value;
    if (!(type == kArray ? readArray(key, value)
                         : readScalar(type, key, value)))
      return false;
    if (!header.metadata.values.emplace(key, std::move(value)).second)
      return fail(diag::GgufDuplicateKey, key);
    return true;
  }

  template <std::integral T>
  bool readInteger(std::string_view key, int64_t &out) {
    T value = 0;
    if (!number(value, key))
      return false;
    if constexpr (std::same_as<T, uint64_t>)
      if (value > uint64_t(INT64_MAX))
        return fail(diag::GgufIntegerRange, key, std::to_string(value));
    // NOLINTNEXTLINE(bugprone-signed-char-misuse): int8_t is a number here
    out = int64_t(value);
    return true;
  }

  bool readInteger(uint32_t type, std::string_view key, int64_t &out) {
    switch (type) {
    case kUint8:
      return readInteger<uint8_t>(key, out);
    case kInt8:
      return readInteger<int8_t>(key, out);
    case kUint16:
      return readInteger<uint16_t>(key, out);
    case kInt16:
      return readInteger<int16_t>(key, out);
    case kUint32:
      return readInteger<uint32_t>(key, out);
    case kInt32:
      return readInteger<int32_t>(key, out);
    case kUint64:
      return readInteger<uint64_t>(key, out);
    default:
      return readInteger<int64_t>(key, out);
    }
  }

  bool readReal(uint32_t type, std::string_view key, double &out) {
    float single = 0;
    if (type == kFloat64)
      return number(out, key);
    if (!number(single, key))
      return false;
    out = single;
    return true;
  }

  bool readBool(std::string_view key, bool &out) {
    uint8_t byte = 0;
    if (!number(byte, key))
      return false;
    if (byte > 1)
      return fail(diag::GgufBool, key, int64_t(byte));
    out = byte == 1;
    return true;
  }

  bool readScalar(uint32_t type, std::string_view key, GgufValue &value) {
    switch (type) {
    case kBool:
      return readBool(key, value.emplace<bool>());
    case kString:
      return text(value.emplace<std::string>(), kLongestText, key);
    case kFloat32:
    case kFloat64:
      return readReal(type, key, value.emplace<double>());
    default:
      if (leastBytes(type) == 0)
        return fail(diag::GgufValueType, key, int64_t(type));
      return readInteger(type, key, value.emplace<int64_t>());
    }
  }

  bool readArray(std::string_view key, GgufValue &value) {
    uint32_t type = 0;
    uint64_t elements = 0;
    if (!number(type, key))
      return false;
    if (leastBytes(type) == 0)
      return fail(diag::GgufValueType, key, int64_t(type));
    if (!count(elements, elementsLeft, "array elements"))
      return false;
    elementsLeft -= elements;
    // Nothing is allocated for elements that cannot be there.
    if (int64_t(elements) > remaining() / leastBytes(type))
      return fail(diag::GgufTruncated, key, position, fileBytes);
    switch (type) {
    case kBool: {
      auto &list = value.emplace<std::vector<bool>>();
      for (uint64_t i = 0; i < elements; ++i) {
        bool flag = false;
        if (!readBool(key, flag))
          return false;
        list.push_back(flag);
      }
      return true;
    }
    case kString: {
      auto &list = value.emplace<std::vector<std::string>>(elements);
      for (std::string &element : list)
        if (!text(element, kLongestText, key))
          return false;
      return true;
    }
    case kFloat32:
    case kFloat64: {
      auto &list = value.emplace<std::vector<double>>(elements);
      for (double &element : list)
        if (!readReal(type, key, element))
          return false;
      return true;
    }
    default: {
      auto &list = value.emplace<std::vector<int64_t>>(elements);
      for (int64_t &element : list)
        if (!readInteger(type, key, element))
          return false;
      return true;
    }
    }
  }

  bool readTensor() {
    StoredTensor tensor;
    uint32_t dimensions = 0, type = 0;
    uint64_t offset = 0;
    if (!text(tensor.fileName, kLongestName, "a tensor name") ||
        !number(dimensions, tensor.fileName))
      return false;
    if (dimensions < 1 || dimensions > kMostDimensions)
      return fail(diag::GgufDimensions, tensor.fileName, int64_t(dimensions),
                  int64_t(kMostDimensions));
    for (uint32_t i = 0; i < dimensions; ++i) {
      uint64_t extent = 0;
      if (!count(extent, INT64_MAX, "elements in one dimension"))
        return false;
      tensor.shape.insert(tensor.shape.begin(), int64_t(extent));
    }
    if (!number(type, tensor.fileName) || !number(offset, tensor.fileName))
      return false;
    const StoredType *stored = findGgmlType(type);
    if (!stored)
      return fail(diag::TensorTypeUnknown, tensor.fileName, ggmlTypeName(type),
                  storedTypeNames(false));
    if (tensor.shape.back() % stored->elemsPerBlock != 0)
      return fail(diag::TensorNotWholeBlocks, tensor.fileName, stored->name,
                  shapeText(tensor.shape), stored->elemsPerBlock);
    std::optional<int64_t> size = storedBytes(*stored, tensor.shape);
    if (!size)
      return fail(diag::TensorTooLarge, tensor.fileName,
                  shapeText(tensor.shape));
    tensor.storedType = stored->name;
    tensor.sizeBytes = *size;
    tensor.name = hfTensorName(tensor.fileName);
    // Relative until the header's end is known; too large ones fail there.
    tensor.offsetBytes =
        int64_t(std::min<uint64_t>(offset, uint64_t(INT64_MAX)));
    std::string name = tensor.name;
    if (!header.tensors.emplace(name, std::move(tensor)).second)
      return fail(diag::GgufDuplicateTensor, name);
    return true;
  }

  bool placeTensors() {
    int64_t alignment = kDefaultAlignment;
    if (header.metadata.has("general.alignment")) {
      const int64_t *given = header.metadata.integer("general.alignment");
      constexpr int64_t kLargestAlignment = 1 << 20;
      if (!given || *given < 8 || *given > kLargestAlignment ||
          !std::has_single_bit(uint64_t(*given)))
        return fail(diag::GgufAlignment, given ? *given : 0, int64_t(8),
                    kLargestAlignment);
      alignment = *given;
    }
    int64_t start = (position + alignment - 1) / alignment * alignment;
    int64_t dataBytes = std::max<int64_t>(fileBytes - start, 0);
    std::string absolute = std::filesystem::absolute(path).string();
    for (auto &[name, tensor] : header.tensors) {
      if (tensor.offsetBytes % alignment != 0)
        return fail(diag::GgufMisaligned, tensor.fileName, tensor.offsetBytes,
                    alignment);
      if (tensor.offsetBytes > dataBytes ||
          tensor.sizeBytes > dataBytes - tensor.offsetBytes) {
        int64_t end = 0;
        if (__builtin_add_overflow(tensor.offsetBytes, tensor.sizeBytes, &end))
          end = INT64_MAX;
        return fail(diag::TensorOutsideFile, tensor.fileName,
                    tensor.offsetBytes, end, dataBytes);
      }
      tensor.offsetBytes += start;
      tensor.path = absolute;
    }
    return checkNoOverlap(header.tensors, path, diags);
  }

  std::istream &in;
  int64_t fileBytes;
  int64_t position = 0;
  uint64_t elementsLeft = kMostElements;
  const std::string &path;
  Diagnostics &diags;
};

} // namespace

std::optional<GgufHeader> parseGguf(std::istream &in, int64_t fileBytes,
                                    const std::string &path,
                                    Diagnostics &diags) {
  GgufReader reader(in, fileBytes, path, diags);
  if (!reader.read())
    return std::nullopt;
  return std::move(reader.header);
}

std::optional<GgufHeader> readGguf(const std::string &path,
                                   Diagnostics &diags) {
  std::optional<BinaryFile> file = openBinaryFile(path, diags);
  if (!file)
    return std::nullopt;
  return parseGguf(file->in, file->bytes, path, diags);
}

} // namespace qwen

#ifdef QWENC_FUZZ
#include <sstream>
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::istringstream in(
      std::string(reinterpret_cast<const char *>(data), size));
  std::ostringstream messages;
  qwen::Diagnostics diags(messages);
  qwen::parseGguf(in, int64_t(size), "fuzz.gguf", diags);
  return 0;
}
#endif
