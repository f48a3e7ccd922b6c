// Safetensors.cpp - the header as JSON, then the bytes.
#include "runtime/cli/Safetensors.h"
#include "runtime/cli/Files.h"

#include <nlohmann/json.hpp>

namespace qwen {

Status writeSafetensors(const std::string &path,
                        const std::vector<NamedArray> &arrays,
                        const std::map<std::string, std::string> &metadata) {
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const NamedArray &array : arrays) {
    header[array.name] = {
        {"dtype", array.type},
        {"shape", {array.rows, array.columns}},
        {"data_offsets", {offset, offset + array.bytes.size()}}};
    offset += array.bytes.size();
  }
  std::string text = header.dump();
  text.append(7 - (text.size() + 7) % 8, ' ');
  uint64_t length = text.size();
  Result<NewFile> file = NewFile::create(path);
  if (!file.ok())
    return file.status();
  if (Status status = file->write(&length, sizeof(length)); !status.ok())
    return status;
  if (Status status = file->write(text.data(), text.size()); !status.ok())
    return status;
  for (const NamedArray &array : arrays)
    if (Status status = file->write(array.bytes.data(), array.bytes.size());
        !status.ok())
      return status;
  return file->finish();
}

} // namespace qwen
