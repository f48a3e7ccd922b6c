// ToyModel.h - a plan whose step functions are written by hand, so that the
// runtime is tested without the compiler.
//
// The toy's logits of a token depend on every token before it, through the
// cache: logit v of position p is a hash of (ids 0..p, v) in [0, 1), scaled by
// the weights' first value (1), plus 2 at (ids[p] + 1) mod V. So greedy
// decoding counts upwards.
#ifndef QWEN_TESTS_UNIT_RUNTIME_CORE_TOYMODEL_H
#define QWEN_TESTS_UNIT_RUNTIME_CORE_TOYMODEL_H

#include "runtime/include/qwen/qwen.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace qwen::toy {

constexpr int64_t kVocab = 300, kContext = 300, kChunk = 8, kLogitsRows = 4;

/// What the toy computes at the last of `ids`, on one thread and without a
/// cache. [V]
std::vector<float> expectedLogits(std::span<const int32_t> ids);

/// The toy's plan with a screened head: of rank 0 the floor is the margin below
/// the largest logit, of another the larger of that and the logit of this rank.
const qwen_plan &screenedPlan();

/// Ids 0..255 are the bytes; the added tokens follow.
constexpr int32_t kEndId = 256, kStartId = 257, kUnusedId = 258;
constexpr int64_t kTokens = 259; // ids from here to V are padding rows

/// The sections of the toy's weights file. A step sleeps `stepMs` milliseconds.
std::vector<uint8_t> tensorSection(float stepMs = 0);
std::vector<uint8_t> tokenizerSection();
std::string generationSection();

/// A whole weights file of these sections.
std::vector<uint8_t> weightsFile(const std::vector<uint8_t> &tensors,
                                 const std::vector<uint8_t> &tokenizer,
                                 const std::string &generation);

/// Writes bytes to a file, for tests.
void writeBytes(const std::string &path, const std::vector<uint8_t> &bytes);

} // namespace qwen::toy

#endif
