// ResultFile.cpp - reading and writing the results of a search.
#include "tools/qwenc-kernel/tune/ResultFile.h"
#include "tools/qwenc-kernel/PlaceFile.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace qwen {

ResultFile::ResultFile(const KernelCatalog &catalog, std::string target,
                       std::string path)
    : catalog(catalog), name(std::move(path)) {
  content.target = std::move(target);
}

bool ResultFile::open(bool again) {
  std::error_code problem;
  const std::filesystem::path folder =
      std::filesystem::path(name).parent_path();
  if (!folder.empty())
    std::filesystem::create_directories(folder, problem);
  if (problem) {
    std::cerr << folder.string()
              << ": error: cannot be made: " << problem.message() << "\n";
    return false;
  }
  if (std::string reason = notReplaceable(name); !reason.empty()) {
    std::cerr << name << ": error: " << reason << "\n";
    return false;
  }
  if (std::filesystem::exists(name, problem) && !again) {
    std::ifstream in(name, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    std::string error;
    const auto found = TunedFile::parse(text.str(), catalog, error, cpuName());
    if (!found) {
      std::cerr << name << ": error: " << error << "\n";
      return false;
    }
    if (found->unmeasured) {
      std::cerr << name << ": error: " << found->unmeasured
                << " of its entries have no figures, and a search writes the "
                   "file anew; give another `-o`\n";
      return false;
    }
    if (!found->target.empty() && found->target != content.target) {
      std::cerr << name << ": error: is for target `" << found->target
                << "`, not `" << content.target << "`\n";
      return false;
    }
    if (const std::string note = found->ignoredNote(); !note.empty())
      std::cerr << name << ": note: " << note << "\n";
    const std::string target = content.target;
    content = *found;
    content.target = target;
  }
  return write();
}

bool ResultFile::write() const {
  const std::string reason = writeFile(name, content.str());
  if (reason.empty())
    return true;
  std::cerr << name << ": error: cannot be written: " << reason << "\n";
  return false;
}

} // namespace qwen
