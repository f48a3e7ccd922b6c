// ByteRanges.cpp - opening binary files and checking tensor ranges.
#include "frontend/weights/ByteRanges.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace qwen {

std::optional<BinaryFile> openBinaryFile(const std::string &path,
                                         Diagnostics &diags) {
  SourcePosition at{path};
  std::error_code failure;
  auto status = std::filesystem::status(path, failure);
  if (status.type() == std::filesystem::file_type::none)
    return diags.error(diag::FileUnreadable, at, failure.message());
  if (!std::filesystem::exists(status))
    return diags.error(diag::FileMissing, at);
  if (!std::filesystem::is_regular_file(status))
    return diags.error(diag::FileNotRegular, at);
  BinaryFile file;
  file.bytes = int64_t(std::filesystem::file_size(path, failure));
  if (failure)
    return diags.error(diag::FileUnreadable, at, failure.message());
  file.in.open(path, std::ios::binary);
  if (!file.in)
    return diags.error(diag::FileUnreadable, at, std::strerror(errno));
  return file;
}

bool checkNoOverlap(const TensorIndex &index, const std::string &path,
                    Diagnostics &diags) {
  std::vector<const StoredTensor *> byOffset;
  for (const auto &entry : index)
    if (entry.second.sizeBytes > 0)
      byOffset.push_back(&entry.second);
  std::sort(byOffset.begin(), byOffset.end(),
            [](const StoredTensor *a, const StoredTensor *b) {
              return a->offsetBytes < b->offsetBytes;
            });
  for (size_t i = 1; i < byOffset.size(); ++i) {
    const StoredTensor &before = *byOffset[i - 1];
    int64_t end = before.offsetBytes + before.sizeBytes;
    if (end > byOffset[i]->offsetBytes) {
      diags.error(diag::TensorsOverlap, {path}, before.fileName, end,
                  byOffset[i]->fileName, byOffset[i]->offsetBytes);
      return false;
    }
  }
  return true;
}

} // namespace qwen
