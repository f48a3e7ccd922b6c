// Link.cpp - the linker's command line, and embedding.
#include "codegen/emit/Link.h"

#include "codegen/emit/ChildProcess.h"
#include "codegen/emit/OutputFile.h"
#include "qwen/qwen.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace qwen {
namespace {

constexpr int64_t kEmbeddedAlignment = 4096;

/// Copies `input` to the end of `output` through a buffer of fixed size.
llvm::Error appendFile(const std::string &output, const std::string &input) {
  constexpr size_t kBufferBytes = 4 << 20;
  int in = ::open(input.c_str(), O_RDONLY | O_CLOEXEC);
  int out = ::open(output.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  int failed = in < 0 || out < 0 ? errno : 0;
  auto buffer = std::make_unique<char[]>(kBufferBytes);
  while (!failed) {
    ssize_t got = ::read(in, buffer.get(), kBufferBytes);
    if (got == 0)
      break;
    if (got < 0)
      failed = errno;
    for (ssize_t at = 0; at < got && !failed;) {
      ssize_t written = ::write(out, buffer.get() + at, got - at);
      if (written < 0)
        failed = errno;
      else
        at += written;
    }
  }
  if (in >= 0)
    ::close(in);
  if (out >= 0 && ::close(out) != 0 && !failed)
    failed = errno;
  if (failed)
    return userError("cannot append `" + input +
                     "` to the executable: " + std::strerror(failed));
  return llvm::Error::success();
}

} // namespace

llvm::Error linkExecutable(const std::vector<std::string> &objects,
                           const std::string &output,
                           const LinkOptions &options) {
  std::vector<std::string> arguments = {"-fuse-ld=lld", "-o", output};
  arguments.insert(arguments.end(), objects.begin(), objects.end());
  arguments.push_back("-Wl,--start-group");
  arguments.insert(arguments.end(), options.archives.begin(),
                   options.archives.end());
  arguments.insert(arguments.end(),
                   {"-Wl,--end-group", "-Wl,--gc-sections", "-Wl,--as-needed",
                    "-static-libstdc++", "-static-libgcc", "-pthread"});
  if (options.strip)
    arguments.push_back("-s");
  return runProgram(options.linker, arguments);
}

llvm::Error embedWeights(const std::string &executable,
                         const std::string &weights) {
  uint64_t executableBytes = 0, weightsBytes = 0;
  for (auto [path, bytes] : {std::pair(&executable, &executableBytes),
                             std::pair(&weights, &weightsBytes)})
    if (std::error_code error = llvm::sys::fs::file_size(*path, *bytes))
      return userError("cannot read `" + *path + "`: " + error.message());
  qwen_embedded_trailer trailer = {};
  std::memcpy(trailer.magic, "QWENEMB1", sizeof(trailer.magic));
  trailer.offset = llvm::alignTo(executableBytes, kEmbeddedAlignment);
  trailer.bytes = weightsBytes;
  OutputFile padding(executable + ".padding");
  if (llvm::Error error =
          padding.write(std::string(trailer.offset - executableBytes, '\0')))
    return error;
  if (llvm::Error error = appendFile(executable, padding.temporary()))
    return error;
  if (llvm::Error error = appendFile(executable, weights))
    return error;
  if (llvm::Error error = padding.write(
          {reinterpret_cast<const char *>(&trailer), sizeof(trailer)}))
    return error;
  return appendFile(executable, padding.temporary());
}

} // namespace qwen
