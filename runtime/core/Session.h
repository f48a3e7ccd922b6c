// Session.h - one sequence of tokens: its cache, and the steps that extend it.
#ifndef QWEN_RUNTIME_CORE_SESSION_H
#define QWEN_RUNTIME_CORE_SESSION_H

#include "runtime/core/Pages.h"
#include "runtime/core/Screening.h"
#include "runtime/core/Status.h"
#include "runtime/core/Team.h"
#include "runtime/include/qwen/qwen.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

namespace qwen {

struct SessionOptions {
  int64_t prefillChunk =
      0; // tokens of one prefill step; 0: as many as the plan's buffers allow
  bool poison = false; // fill cache, arena and scratch with NaN first
};

/// What a decode step must leave.
enum class Logits {
  kAll,
  kGreedy, // `greedyToken`
  kTop     // those that reach `floor`, about as deep as asked for
};

/// The plan, weights and team must outlive the session.
class Session {
public:
  /// kInvalid for a chunk outside 1..plan.prefill_chunk, kSystem if memory is
  /// short.
  static Result<std::unique_ptr<Session>> create(const qwen_plan &plan,
                                                 const uint8_t *tensors,
                                                 Team &team,
                                                 const SessionOptions &options);

  const qwen_plan &plan() const { return plan_; }
  int64_t position() const {
    return static_cast<int64_t>(ids_.size());
  } // tokens in the cache
  const std::vector<int32_t> &ids() const {
    return ids_;
  } // which tokens they are

  /// Forgets all tokens from `position` on.
  void truncate(int64_t position) {
    ids_.resize(static_cast<size_t>(position));
  }

  /// Ok if `ids` are all in [0, V), at least one, and fit the context from
  /// `position` on.
  Status check(std::span<const int32_t> ids, int64_t position) const;

  /// Keeps the longest prefix of the cache that `ids` starts with, at most all
  /// but the last id, and returns its length.
  int64_t reuse(std::span<const int32_t> ids);

  /// Appends `ids` to the cache; then `logits` and `greedyToken` are those of
  /// the last one. kInvalid as `check`, kCancelled between two chunks.
  Status prefill(std::span<const int32_t> ids);

  /// Appends `ids`; calls `row` with the logits [V] of each of them, in the
  /// order of the positions unless the chunk is larger than the plan's logits
  /// buffer; `index` counts from the first id. Stops at the first status that
  /// is not ok.
  Status prefillAllLogits(
      std::span<const int32_t> ids,
      const std::function<Status(int64_t index, const float *logits)> &row);

  /// Appends one token; then `greedyToken`, if it was wanted, and those of
  /// `logits` that reach `floor` are its; the others are or are minus infinity.
  /// kInvalid as `check`.
  Status decode(int32_t id, Logits wanted = Logits::kAll,
                const Depth &depth = {});

  /// Minus infinity where the last step left all logits.
  float floor() const { return floor_; }

  Screening &screening() { return screening_; }

  /// Rows of logits that the last step computed.
  int64_t computedLogits() const;

  /// Appends `ids`, at most as many as the plan's logits buffer and prefill
  /// step hold; then `logits(i)` and `greedyToken(i)` are those of `ids[i]`.
  /// kInvalid as `check`.
  Status extend(std::span<const int32_t> ids);

  /// Memory as the last step left it; of the scratch, the first thread's.
  struct Memory {
    const uint8_t *cache, *arena, *scratch;
  };
  Memory memory() const {
    return {cache_.data(), arena_.data(), scratch_.data()};
  }

  // [V]; of the last step's rows of logits, the first unless asked otherwise.
  const float *logits(int64_t row = 0) const;
  // Lowest id with the largest logit, by the generated code.
  int32_t greedyToken(int64_t row = 0) const;

private:
  Session(const qwen_plan &plan, const uint8_t *tensors, Team &team)
      : plan_(plan), tensors_(tensors), team_(team) {}
  // Asks for huge pages for the cache, once, when so many positions are worth
  // the memory.
  void preferHugeCache(int64_t positions);
  // Moves what the cache holds by then, a page for each of so many tokens: all
  // at once would be a pause in the answer.
  void moveCache(int64_t tokens);
  // Runs `fn` on tokens that belong at `position` and leaves them in the cache.
  void step(qwen_step_fn fn, std::span<const int32_t> ids, int64_t position,
            int64_t logitsFrom, const Depth &depth = {});

  const qwen_plan &plan_;
  const uint8_t *tensors_;
  Team &team_;
  int64_t chunk_ = 1;       // of `prefill`
  int64_t logitsChunk_ = 1; // of `prefillAllLogits`
  int64_t scratchStride_ = 0;
  Screening screening_;
  float floor_ = -std::numeric_limits<float>::infinity();
  bool hugeCache_ = false;
  int64_t movedBytes_ = 0; // of the cache, to huge pages
  Pages cache_, arena_, scratch_, counters_;
  std::vector<int32_t> ids_;
  std::vector<int32_t>
      stepIds_; // of one step, with spare rows as every buffer of T rows has
};

} // namespace qwen

#endif
