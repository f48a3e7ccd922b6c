// Verify.h - is this executable computing the model, and if not, where does it
// part?
#pragma once

#include "tools/qwenc/CompileOptions.h"

#include <string>

namespace qwen {

struct VerifyOptions {
  std::string subject; // an executable, or a model to compile
  std::string weights; // of an executable that has them elsewhere
  CompileOptions build;
  std::string reference, idsPath, text, report;
  bool bisect = false;
  bool deterministic = false;
  bool quick = false; // few tokens, and only what needs a run
};

/// A quick verification of a new executable, as JSON for its description. When
/// it fails the report goes to standard error and the result is empty.
std::string checkExecutable(const std::string &path, const std::string &weights,
                            const CompileOptions &build);

/// The exit code: 0 when everything is in its bound. The report goes to
/// standard output.
int verifyModel(const VerifyOptions &options);

} // namespace qwen
