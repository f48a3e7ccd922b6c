// Weights.h - the weights file, checked against the plan and mapped read-only,
// so that processes share one copy.
#ifndef QWEN_RUNTIME_CORE_WEIGHTS_H
#define QWEN_RUNTIME_CORE_WEIGHTS_H

#include "runtime/core/Status.h"
#include "runtime/include/qwen/qwen.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace qwen {

/// A mapped weights file. After `open` nothing about it can fail: magic, ABI,
/// sizes, fingerprint and section bounds hold.
class Weights {
public:
  Weights() = default;
  Weights(Weights &&other) noexcept;
  Weights &operator=(Weights &&other) noexcept;
  ~Weights();

  /// Opens `path`; if it is empty, the weights embedded in the running
  /// executable, else its path + ".weights".
  static Result<Weights> open(const qwen_plan &plan, const std::string &path);

  /// Opens the weights at `path`. If the file ends in an embedded trailer, the
  /// weights it points to, and kUnsupported with the text "no embedded weights"
  /// if `embeddedOnly` and there is none.
  static Result<Weights> openFile(const qwen_plan &plan,
                                  const std::string &path, bool embeddedOnly);

  const uint8_t *tensors() const {
    return section(QWEN_SECTION_TENSORS).data();
  }
  std::span<const uint8_t> tokenizer() const {
    return section(QWEN_SECTION_TOKENIZER);
  } // empty: the model has none
  std::string_view generation() const; // JSON text, may be empty
  int64_t bytes() const { return bytes_; }
  const std::string &path() const { return path_; }

private:
  std::span<const uint8_t> section(int kind) const;

  const uint8_t *data_ = nullptr; // the header
  int64_t bytes_ = 0;
  std::string path_;
};

/// 32 hexadecimal digits.
std::string fingerprintText(const uint8_t fingerprint[16]);

/// The path of the running executable.
Result<std::string> executablePath();

} // namespace qwen

#endif
