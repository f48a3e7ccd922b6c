// Generator.cpp - prefill, then sample and decode until something ends it.
#include "runtime/core/Generator.h"
#include "runtime/core/Cancellation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

namespace qwen {
namespace {

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

// A step over the last token and the draft of what follows it.
class DraftedSteps {
public:
  DraftedSteps(Session &session, Sampler &sampler, PromptLookup &lookup)
      : session_(session), sampler_(sampler), lookup_(lookup) {}
  ~DraftedSteps() { finish(); }
  DraftedSteps(const DraftedSteps &) = delete;
  DraftedSteps &operator=(const DraftedSteps &) = delete;

  /// Appends `id`, and what the next `most` tokens may be.
  Status step(int32_t id, int64_t most) {
    const auto start = std::chrono::steady_clock::now();
    std::span<const int32_t> draft = lookup_.propose(most);
    ids_[0] = id;
    std::copy(draft.begin(), draft.end(), ids_ + 1);
    count_ = 1 + static_cast<int64_t>(draft.size());
    row_ = 0;
    Status status = count_ == 1
                        ? decodeFor(session_, sampler_, id)
                        : session_.extend({ids_, static_cast<size_t>(count_)});
    seconds_ = secondsSince(start);
    if (count_ == 1)
      lookup_.decoded(seconds_);
    return status;
  }

  /// Whether `id`, which follows from the logits of `row()`, is what was
  /// drafted: then the step gave its logits too, as the next row.
  bool goesOn(int32_t id) {
    if (row_ + 1 == count_ || ids_[row_ + 1] != id)
      return false;
    ++row_;
    return true;
  }

  int64_t row() const { return row_; }

  /// Forgets what was drafted beyond `row()`.
  void finish() {
    if (count_ > 1) {
      session_.truncate(session_.position() - (count_ - 1 - row_));
      lookup_.verified(count_ - 1, row_, seconds_);
    }
    count_ = 1;
    row_ = 0;
  }

private:
  Session &session_;
  Sampler &sampler_;
  PromptLookup &lookup_;
  int32_t ids_[1 + PromptLookup::kLongest] = {};
  int64_t count_ = 1, row_ = 0;
  double seconds_ = 0;
};

} // namespace

Status decodeFor(Session &session, Sampler &sampler, int32_t id) {
  const bool greedy = sampler.isGreedy();
  const std::optional<Depth> depth = sampler.depth();
  if (!greedy && !depth)
    return session.decode(id);
  Screening &screening = session.screening();
  Status status =
      greedy ? session.decode(id, Logits::kGreedy)
             : session.decode(id, Logits::kTop, screening.depth(*depth));
  if (!status.ok())
    return status;
  if (greedy) {
    if (sampler.takes(session.logits(), session.greedyToken()))
      return {};
  } else if (session.floor() == -INFINITY) {
    return {};
  } else {
    const bool settled = sampler.settles(session.logits(), session.floor());
    screening.settled(settled);
    if (settled)
      return {};
  }
  // A logit that was left out may matter: the same position with all of them.
  session.truncate(session.position() - 1);
  return session.decode(id);
}

Result<Ending> generate(Session &session, Sampler &sampler,
                        const StopTokens &stops, std::span<const int32_t> ids,
                        int64_t maxTokens,
                        const std::function<Status(int32_t)> &onToken,
                        PromptLookup &lookup) {
  if (Status status = session.check(ids, 0); !status.ok())
    return status;
  int64_t kept = session.reuse(ids);
  Status status = session.prefill(ids.subspan(static_cast<size_t>(kept)));
  if (status.code() == Code::kCancelled)
    return Ending::kCancelled;
  if (!status.ok())
    return status;
  sampler.reset();
  sampler.see(ids);
  lookup.reset();
  lookup.see(ids);
  DraftedSteps steps(session, sampler, lookup);
  for (int64_t count = 0; maxTokens < 0 || count < maxTokens; ++count) {
    if (cancellationRequested())
      return Ending::kCancelled;
    Result<int32_t> id =
        sampler.sample(session.logits(steps.row()),
                       session.greedyToken(steps.row()), session.floor());
    if (!id.ok())
      return id.status();
    sampler.see({&*id, 1});
    lookup.see({&*id, 1});
    if (Status given = onToken(*id); !given.ok())
      return given;
    if (stops.contains(*id))
      return Ending::kStopToken;
    if (count + 1 == maxTokens)
      break;
    if (steps.goesOn(*id))
      continue;
    steps.finish();
    const int64_t room = session.plan().context - session.position() - 1;
    if (room < 0)
      return Ending::kContextFull;
    if (Status status = steps.step(
            *id, maxTokens < 0 ? room : std::min(room, maxTokens - count - 2));
        !status.ok())
      return status;
  }
  return Ending::kLimit;
}

} // namespace qwen
