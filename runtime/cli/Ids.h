// Ids.h - token ids as text: decimal numbers separated by blanks, line ends or
// commas.
#ifndef QWEN_RUNTIME_CLI_IDS_H
#define QWEN_RUNTIME_CLI_IDS_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qwen {

/// The ids in `text`, each in [0, vocabSize); kInvalid with `path:line:col` of
/// the first one that is not.
Result<std::vector<int32_t>>
parseIds(std::string_view text, const std::string &path, int64_t vocabSize);

/// The ids in a file; `-` is the standard input.
Result<std::vector<int32_t>> readIds(const std::string &path,
                                     int64_t vocabSize);

} // namespace qwen

#endif
