// Verify.h - is this executable computing the model, and if not, where does it
// part?
#pragma once

#include "tools/qwenc/CompileOptions.h"

#include <string>

namespace qwen {

struct VerifyOptions {
  CompileOptions build; // of a model; an executable says how it was built
  std::string subject;  // a model, or an executable
  std::string reference, idsPath, text, report;
  bool bisect = false;
  bool deterministic = false;
};

/// The exit code: 0 when everything is in its bound. The report goes to
/// standard output.
int verifyModel(const VerifyOptions &options);

} // namespace qwen
