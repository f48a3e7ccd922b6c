// Session.cpp - prefill in chunks, decode, and the arguments of a step.
#include "runtime/core/Session.h"
#include "runtime/core/Cancellation.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace qwen {
namespace {

using ll = long long;

constexpr int64_t kCounterBytes = 64;
constexpr int64_t kSpareRows = 8;

struct StepRegion {
  qwen_step_fn fn;
  qwen_step_args args;
  int64_t scratchStride;
};

void runStep(void *context, int64_t thread) {
  auto *region = static_cast<const StepRegion *>(context);
  qwen_step_args args = region->args;
  args.scratch += thread * region->scratchStride;
  args.thread = thread;
  region->fn(&args);
}

} // namespace

Result<std::unique_ptr<Session>>
Session::create(const qwen_plan &plan, const uint8_t *tensors, Team &team,
                const SessionOptions &options) {
  if (options.prefillChunk < 0 || options.prefillChunk > plan.prefill_chunk)
    return Status::invalid(
        "a prefill chunk of %lld tokens; this executable takes 1 to %lld",
        static_cast<ll>(options.prefillChunk),
        static_cast<ll>(plan.prefill_chunk));
  std::unique_ptr<Session> session(new Session(plan, tensors, team));
  session->chunk_ =
      options.prefillChunk ? options.prefillChunk : plan.prefill_chunk;
  // Unless asked for, no chunk is so large that its logits take more than one
  // step.
  session->logitsChunk_ = options.prefillChunk
                              ? options.prefillChunk
                              : std::min(plan.prefill_chunk, plan.logits_rows);
  session->stepIds_.resize(
      static_cast<size_t>(plan.prefill_chunk + kSpareRows));
  // So that no step allocates.
  session->ids_.reserve(static_cast<size_t>(plan.context));
  session->scratchStride_ = roundUp(plan.scratch_bytes, kPageBytes);
  struct {
    Pages &pages;
    int64_t bytes;
    const char *what;
  } const buffers[] = {
      {session->cache_, plan.cache_bytes, "the key/value cache"},
      {session->arena_, plan.arena_bytes, "the activations"},
      {session->scratch_, session->scratchStride_ * team.threads(),
       "the threads' activations"},
      {session->counters_, plan.counters * kCounterBytes, "the counters"},
  };
  for (const auto &buffer : buffers) {
    Result<Pages> pages = Pages::allocate(buffer.bytes, buffer.what);
    if (!pages.ok())
      return pages.status();
    buffer.pages = std::move(*pages);
  }
  if (options.poison) {
    session->cache_.poison();
    session->arena_.poison();
    session->scratch_.poison();
  }
  return session;
}

Status Session::check(std::span<const int32_t> ids, int64_t position) const {
  if (ids.empty())
    return Status::invalid("the prompt is empty; at least one token is needed");
  int64_t total = position + static_cast<int64_t>(ids.size());
  if (total > plan_.context) {
    if (position == 0)
      return Status::invalid("%lld tokens do not fit the context of %lld",
                             static_cast<ll>(total),
                             static_cast<ll>(plan_.context));
    return Status::invalid(
        "%lld more tokens after %lld make %lld; the context holds %lld",
        static_cast<ll>(ids.size()), static_cast<ll>(position),
        static_cast<ll>(total), static_cast<ll>(plan_.context));
  }
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= plan_.vocab_size)
      return Status::invalid("token id %d at position %zu is not in 0 to %lld",
                             ids[i], i, static_cast<ll>(plan_.vocab_size - 1));
  return {};
}

int64_t Session::reuse(std::span<const int32_t> ids) {
  size_t most = std::min(ids_.size(), ids.empty() ? 0 : ids.size() - 1);
  auto same = std::mismatch(
      ids.begin(), ids.begin() + static_cast<ptrdiff_t>(most), ids_.begin());
  truncate(same.first - ids.begin());
  return position();
}

void Session::preferHugeCache(int64_t positions) {
  // Attention walks through each head's keys and values, which lie apart: a few
  // positions touch every huge page, so there must be enough to fill some.
  constexpr int64_t kShare = 8; // of the context, one in
  if (hugeCache_ || positions < plan_.context / kShare ||
      plan_.cache_bytes < kHugePageBytes)
    return;
  cache_.preferHuge();
  hugeCache_ = true;
}

void Session::moveCache(int64_t tokens) {
  if (!hugeCache_)
    return;
  const int64_t end =
      std::min(movedBytes_ + tokens * kHugePageBytes, cache_.bytes());
  for (; movedBytes_ < end; movedBytes_ += kHugePageBytes)
    cache_.moveToHuge(movedBytes_);
}

Status Session::prefill(std::span<const int32_t> ids) {
  if (Status status = check(ids, position()); !status.ok())
    return status;
  preferHugeCache(position() + static_cast<int64_t>(ids.size()));
  while (!ids.empty()) {
    if (cancellationRequested())
      return Status::cancelled();
    auto tokens = std::min<size_t>(static_cast<size_t>(chunk_), ids.size());
    bool last = tokens == ids.size();
    step(plan_.prefill, ids.first(tokens), position(),
         static_cast<int64_t>(tokens) - (last ? 1 : 0));
    ids = ids.subspan(tokens);
  }
  return {};
}

Status Session::prefillAllLogits(
    std::span<const int32_t> ids,
    const std::function<Status(int64_t, const float *)> &row) {
  if (Status status = check(ids, position()); !status.ok())
    return status;
  for (int64_t done = 0; !ids.empty();) {
    auto tokens =
        std::min<int64_t>(logitsChunk_, static_cast<int64_t>(ids.size()));
    int64_t start = position();
    // One step gives the last rows of a chunk, as many as the logits buffer
    // holds. Shorter steps over the same tokens give the rows before; they
    // write the same values into the cache again.
    for (int64_t end = tokens; end > 0;) {
      if (cancellationRequested())
        return Status::cancelled();
      int64_t from = std::max<int64_t>(0, end - plan_.logits_rows);
      step(plan_.prefill, ids.first(static_cast<size_t>(end)), start, from);
      for (int64_t index = from; index < end; ++index)
        if (Status status = row(done + index, logits(index - from));
            !status.ok())
          return status;
      end = from;
    }
    ids_.resize(static_cast<size_t>(start));
    ids_.insert(ids_.end(), ids.begin(), ids.begin() + tokens);
    ids = ids.subspan(static_cast<size_t>(tokens));
    done += tokens;
  }
  return {};
}

Status Session::decode(int32_t id, Logits wanted, const Depth &depth) {
  if (Status status = check({&id, 1}, position()); !status.ok())
    return status;
  if (wanted == Logits::kAll || !plan_.decode_screened || !screening_.next()) {
    step(plan_.decode, {&id, 1}, position(), 0);
    return {};
  }
  step(plan_.decode_screened, {&id, 1}, position(), 0,
       wanted == Logits::kTop ? depth : Depth());
  memcpy(&floor_, scratch_.data() + plan_.floor_offset, sizeof(floor_));
  screening_.read(computedLogits(), plan_.rescored_row_bytes,
                  plan_.screened_bytes, plan_.decode_bytes);
  return {};
}

Status Session::extend(std::span<const int32_t> ids) {
  if (Status status = check(ids, position()); !status.ok())
    return status;
  step(plan_.prefill, ids, position(), 0);
  return {};
}

int64_t Session::computedLogits() const {
  return plan_.vocab_size - std::count(logits(), logits() + plan_.vocab_size,
                                       -std::numeric_limits<float>::infinity());
}

void Session::step(qwen_step_fn fn, std::span<const int32_t> ids,
                   int64_t position, int64_t logitsFrom, const Depth &depth) {
  const auto tokens = static_cast<int64_t>(ids.size());
  preferHugeCache(position + tokens);
  moveCache(tokens);
  memset(counters_.data(), 0,
         static_cast<size_t>(plan_.counters * kCounterBytes));
  std::copy(ids.begin(), ids.end(), stepIds_.begin());
  std::fill_n(stepIds_.begin() + static_cast<ptrdiff_t>(ids.size()), kSpareRows,
              0);
  StepRegion region = {
      fn,
      {.weights = tensors_,
       .cache = cache_.data(),
       .arena = arena_.data(),
       .scratch = scratch_.data(),
       .counters = reinterpret_cast<uint64_t *>(counters_.data()),
       .team = &team_,
       .barrier = Team::barrier,
       .ids = stepIds_.data(),
       .tokens = tokens,
       .position = position,
       .logits_from = logitsFrom,
       .rank = depth.rank,
       .margin = static_cast<int64_t>(depth.margin * 256),
       .thread = 0,
       .threads = team_.threads()},
      scratchStride_};
  team_.run(runStep, &region);
  floor_ = -std::numeric_limits<float>::infinity();
  ids_.resize(static_cast<size_t>(position));
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

const float *Session::logits(int64_t row) const {
  return reinterpret_cast<const float *>(arena_.data() + plan_.logits_offset) +
         row * plan_.logits_stride;
}

int32_t Session::greedyToken(int64_t row) const {
  int32_t id;
  memcpy(&id,
         arena_.data() + plan_.argmax_offset +
             row * static_cast<int64_t>(sizeof(id)),
         sizeof(id));
  return id;
}

} // namespace qwen
