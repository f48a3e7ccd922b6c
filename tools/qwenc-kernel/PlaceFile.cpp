// PlaceFile.cpp - files written beside their place and renamed.
#include "tools/qwenc-kernel/PlaceFile.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace qwen {

std::string notReplaceable(const std::string &path) {
  std::error_code none;
  const std::filesystem::file_status found =
      std::filesystem::status(path, none);
  if (!std::filesystem::exists(found) ||
      std::filesystem::is_regular_file(found) ||
      std::filesystem::is_directory(found))
    return "";
  return "not a regular file, and a file that is renamed to it would take its "
         "place";
}

std::string placeFile(const std::string &scratch, const std::string &path) {
  std::string reason = notReplaceable(path);
  if (reason.empty() && std::rename(scratch.c_str(), path.c_str()) != 0)
    reason = std::strerror(errno);
  if (!reason.empty())
    std::remove(scratch.c_str());
  return reason;
}

std::string writeFile(const std::string &path, const std::string &text) {
  if (std::string reason = notReplaceable(path); !reason.empty())
    return reason;
  const std::string scratch = path + ".tmp" + std::to_string(getpid());
  errno = 0;
  std::ofstream out(scratch, std::ios::binary);
  out << text;
  out.close();
  if (out)
    return placeFile(scratch, path);
  const int code = errno != 0 ? errno : EIO;
  std::remove(scratch.c_str());
  return std::strerror(code);
}

} // namespace qwen
