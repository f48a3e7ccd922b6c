// Safetensors.cpp - safetensors headers: an 8-byte length, JSON, then tensor
// bytes.
#include "frontend/weights/Safetensors.h"

#include "frontend/diag/Json.h"
#include "frontend/weights/ByteRanges.h"
#include "frontend/weights/StoredType.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace qwen {
namespace {

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kLargestHeader = 100'000'000; // as the reference reader
constexpr size_t kMostDimensions = 8;

class HeaderReader {
public:
  HeaderReader(const std::string &path, int64_t dataStart, int64_t fileBytes,
               Diagnostics &diags)
      : path(path), absolutePath(std::filesystem::absolute(path).string()),
        dataStart(dataStart), dataBytes(fileBytes - dataStart), diags(diags) {}

  bool read(const JsonValue &header) {
    const JsonValue::Object *members = header.object();
    if (!members) {
      diags.error(diag::JsonNotObject, header.position(path),
                  header.describe());
      return false;
    }
    for (const JsonMember &member : *members)
      if (member.key != "__metadata__" && !readTensor(member))
        return false;
    return checkNoOverlap(index, path, diags);
  }

  TensorIndex index;

private:
  bool readTensor(const JsonMember &member) {
    StoredTensor tensor;
    tensor.name = tensor.fileName = member.key;
    tensor.path = absolutePath;
    const JsonValue *dtype = member.value.find("dtype");
    const JsonValue *shape = member.value.find("shape");
    const JsonValue *offsets = member.value.find("data_offsets");
    std::vector<int64_t> range;
    if (!dtype || !dtype->text() || !shape || !offsets ||
        !readCounts(*shape, tensor.shape) || !readCounts(*offsets, range) ||
        tensor.shape.size() > kMostDimensions || range.size() != 2) {
      diags.error(diag::SafetensorsBadEntry, member.value.position(path),
                  member.key);
      return false;
    }
    const StoredType *type = findSafetensorsType(*dtype->text());
    if (!type) {
      diags.error(diag::TensorTypeUnknown, {path}, member.key, *dtype->text(),
                  storedTypeNames(true));
      return false;
    }
    tensor.storedType = type->name;
    std::optional<int64_t> bytes = storedBytes(*type, tensor.shape);
    if (!bytes) {
      diags.error(diag::TensorTooLarge, {path}, member.key,
                  shapeText(tensor.shape));
      return false;
    }
    if (range[1] < range[0] || range[1] > dataBytes) {
      diags.error(diag::TensorOutsideFile, {path}, member.key, range[0],
                  range[1], dataBytes);
      return false;
    }
    if (range[1] - range[0] != *bytes) {
      diags.error(diag::TensorWrongSize, {path}, member.key,
                  range[1] - range[0], type->name, shapeText(tensor.shape),
                  *bytes);
      return false;
    }
    tensor.offsetBytes = dataStart + range[0];
    tensor.sizeBytes = *bytes;
    index.emplace(tensor.name, std::move(tensor));
    return true;
  }

  static bool readCounts(const JsonValue &value, std::vector<int64_t> &out) {
    const JsonValue::Array *list = value.array();
    if (!list)
      return false;
    for (const JsonValue &entry : *list) {
      const int64_t *count = entry.integer();
      if (!count || *count < 0)
        return false;
      out.push_back(*count);
    }
    return true;
  }

  const std::string &path;
  std::string absolutePath;
  int64_t dataStart;
  int64_t dataBytes;
  Diagnostics &diags;
};

/// Where each tensor lies, from the index file.
struct ShardMap {
  std::map<std::string, std::string> shardOf; // tensor -> file name
  std::set<std::string> shards;
};

std::optional<ShardMap> readShardMap(const std::string &path,
                                     Diagnostics &diags) {
  std::optional<JsonValue> root = readJsonFile(path, diags);
  if (!root)
    return std::nullopt;
  const JsonValue *map = root->find("weight_map");
  if (!map || !map->object())
    return diags.error(diag::ShardMapMissing, root->position(path));
  ShardMap result;
  for (const JsonMember &member : *map->object()) {
    const std::string *shard = member.value.text();
    // A name with a folder in it would reach outside the checkpoint.
    if (!shard || shard->empty() || *shard == "." || *shard == ".." ||
        shard->find('/') != std::string::npos)
      return diags.error(diag::ShardBadName, member.value.position(path),
                         member.value.describe());
    result.shardOf.emplace(member.key, *shard);
    result.shards.insert(*shard);
  }
  return result;
}

} // namespace

std::optional<TensorIndex> parseSafetensors(std::istream &in, int64_t fileBytes,
                                            const std::string &path,
                                            Diagnostics &diags) {
  SourcePosition at{path};
  unsigned char length[kLengthBytes];
  if (fileBytes < kLengthBytes ||
      !in.read(reinterpret_cast<char *>(length), kLengthBytes))
    return diags.error(diag::SafetensorsTruncated, at, fileBytes, kLengthBytes);
  uint64_t headerBytes = 0;
  for (int64_t i = kLengthBytes; i-- > 0;)
    headerBytes = headerBytes << 8 | length[i];
  int64_t available = std::min(fileBytes - kLengthBytes, kLargestHeader);
  if (headerBytes > uint64_t(available))
    return diags.error(diag::SafetensorsHeaderSize, at,
                       std::to_string(headerBytes), available);
  std::string text(headerBytes, '\0');
  if (!in.read(text.data(), std::streamsize(headerBytes)))
    return diags.error(diag::FileUnreadable, at, "it shrank while being read");
  std::optional<JsonValue> header =
      parseJson(text, path, diags, 1 + kLengthBytes);
  if (!header)
    return std::nullopt;
  HeaderReader reader(path, kLengthBytes + int64_t(headerBytes), fileBytes,
                      diags);
  if (!reader.read(*header))
    return std::nullopt;
  return std::move(reader.index);
}

std::optional<TensorIndex> readSafetensors(const std::string &path,
                                           Diagnostics &diags) {
  std::optional<BinaryFile> file = openBinaryFile(path, diags);
  if (!file)
    return std::nullopt;
  return parseSafetensors(file->in, file->bytes, path, diags);
}

std::optional<TensorIndex> readSafetensorsIndex(const std::string &path,
                                                Diagnostics &diags) {
  std::optional<ShardMap> map = readShardMap(path, diags);
  if (!map)
    return std::nullopt;
  TensorIndex all;
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const std::string &shard : map->shards) {
    std::string shardPath = (folder / shard).string();
    std::optional<TensorIndex> part = readSafetensors(shardPath, diags);
    if (!part)
      return std::nullopt;
    for (auto &[name, tensor] : *part) {
      auto entry = map->shardOf.find(name);
      if (entry == map->shardOf.end() || entry->second != shard)
        return diags.error(diag::ShardUnlisted, {shardPath}, name, path);
      all.emplace(name, std::move(tensor));
    }
  }
  for (const auto &[name, shard] : map->shardOf)
    if (!all.count(name))
      return diags.error(diag::ShardTensorMissing, {path}, name, shard);
  return all;
}

} // namespace qwen

#ifdef QWENC_FUZZ
#include <sstream>
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::istringstream in(
      std::string(reinterpret_cast<const char *>(data), size));
  std::ostringstream messages;
  qwen::Diagnostics diags(messages);
  qwen::parseSafetensors(in, int64_t(size), "fuzz.safetensors", diags);
  return 0;
}
#endif
