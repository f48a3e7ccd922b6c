// Sample.h - the tokens that quality is measured on.
#pragma once

#include "tools/qwenc/verify/Executable.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace qwen::quality {

/// Prose and code of the project's own: one text to calibrate with, another to
/// measure on.
llvm::StringRef calibrationText();
llvm::StringRef measuredText();

/// Where tokens come from: a file of ids, a file of text, or what is built in.
struct SampleSource {
  std::string idsPath, textPath;
  llvm::StringRef builtin;
};

/// The first `most` ids of the source, made by the executable's tokenizer where
/// they are a text. Refuses fewer than `least`, and ids from `vocab` on.
llvm::Expected<reference::Ids> sampleIds(const SampleSource &source,
                                         const verify::Executable &app,
                                         int64_t least, int64_t most,
                                         int64_t vocab);

} // namespace qwen::quality
