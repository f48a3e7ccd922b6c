// ResultFile.h - the file that a search fills: resumed from, written by rename
// after each kernel.
#pragma once

#include "codegen/catalog/Tuned.h"

#include <string>

namespace qwen {

class ResultFile {
public:
  ResultFile(const KernelCatalog &catalog, std::string target,
             std::string path);

  /// Reads what is there, unless `again`, and checks that it can be written;
  /// prints a message and returns false when not.
  bool open(bool again);
  void put(const TunedKernel &kernel) { content.put(kernel); }
  bool write() const;
  const TunedFile &file() const { return content; }
  const std::string &path() const { return name; }

private:
  const KernelCatalog &catalog;
  const std::string name;
  TunedFile content;
};

} // namespace qwen
