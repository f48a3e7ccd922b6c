// WorkFolder.h - a temporary folder that goes away with its object, and with
// the program when that is interrupted.
#pragma once

#include <string>

namespace qwen::verify {

/// Holds files, no folders.
class WorkFolder {
public:
  WorkFolder();
  WorkFolder(const WorkFolder &) = delete;
  WorkFolder &operator=(const WorkFolder &) = delete;
  ~WorkFolder();

  bool ok() const { return !path.empty(); }
  std::string at(const std::string &name) const { return path + "/" + name; }

private:
  std::string path;
};

} // namespace qwen::verify
