// Sample.cpp - built-in and given texts, and their tokens.
#include "tools/qwenc/quality/Sample.h"

#include "codegen/emit/OutputFile.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>

namespace qwen::quality {
namespace {

// More bytes than any text has for one token, and less than one argument of a
// program may have.
constexpr int64_t kBytesOfToken = 16;
constexpr int64_t kMostBytes = int64_t(96) << 10;

constexpr uint8_t kCalibrationText[] = {
#include "tools/qwenc/quality/calibration.txt.inc"
};
constexpr uint8_t kMeasuredText[] = {
#include "tools/qwenc/quality/measured.txt.inc"
};

/// The start of a text, cut between two characters.
std::string startOf(llvm::StringRef text, int64_t bytes) {
  if (int64_t(text.size()) <= bytes)
    return text.str();
  auto end = size_t(bytes);
  while (end > 0 && (uint8_t(text[end]) & 0xc0) == 0x80)
    --end;
  return text.take_front(end).str();
}

} // namespace

llvm::StringRef calibrationText() {
  return llvm::toStringRef(llvm::ArrayRef(kCalibrationText));
}

llvm::StringRef measuredText() {
  return llvm::toStringRef(llvm::ArrayRef(kMeasuredText));
}

llvm::Expected<reference::Ids> sampleIds(const SampleSource &source,
                                         const verify::Executable &app,
                                         int64_t least, int64_t most,
                                         int64_t vocab) {
  std::string name = "the built-in text";
  reference::Ids ids;
  if (!source.idsPath.empty()) {
    name = "`" + source.idsPath + "`";
    llvm::Expected<reference::Ids> read = verify::readIds(source.idsPath);
    if (!read)
      return read.takeError();
    ids = std::move(*read);
  } else {
    llvm::StringRef text = source.builtin;
    std::unique_ptr<llvm::MemoryBuffer> file;
    if (!source.textPath.empty()) {
      name = "`" + source.textPath + "`";
      auto read = llvm::MemoryBuffer::getFile(source.textPath);
      if (!read)
        return userError("cannot read " + name + ": " +
                         read.getError().message());
      file = std::move(*read);
      text = file->getBuffer();
    }
    if (text.contains('\0'))
      return userError(name + " is no text: it has a zero byte");
    llvm::Expected<reference::Ids> made =
        app.tokenize(startOf(text, std::min(kMostBytes, kBytesOfToken * most)));
    if (!made)
      return made.takeError();
    ids = std::move(*made);
  }
  if (int64_t(ids.size()) < least)
    return userError(name + " has " + std::to_string(ids.size()) +
                     " tokens; at least " + std::to_string(least) +
                     " are needed");
  ids.resize(std::min(ids.size(), size_t(most)));
  for (int32_t id : ids)
    if (id < 0 || id >= vocab)
      return userError(std::to_string(id) + " is no token id; the model has " +
                       std::to_string(vocab));
  return ids;
}

} // namespace qwen::quality
