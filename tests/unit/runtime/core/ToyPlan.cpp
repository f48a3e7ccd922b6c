// ToyPlan.cpp - the toy's plan and step functions: what a compiled model's
// object holds.
#include "tests/unit/runtime/core/ToyModel.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <unistd.h>

namespace qwen::toy {
namespace {

constexpr int64_t kLogitsStride = 304; // roundUp(V, 16)
constexpr int64_t kCounters = 3;
constexpr int64_t kFloorOffset = 64; // in scratch
constexpr int64_t kLogitsOffset = 4096;
constexpr int64_t kArgmaxOffset =
    kLogitsOffset + (kLogitsRows + 8) * kLogitsStride * 4;
constexpr int64_t kArenaBytes = kArgmaxOffset + (kLogitsRows + 8) * 4;

uint32_t mix(uint32_t hash, uint32_t value) {
  hash = (hash ^ value) * 0x9e3779b1u;
  return hash ^ hash >> 15;
}

float logit(uint32_t history, int32_t last, int64_t v, float scale) {
  float noise =
      static_cast<float>(mix(history, static_cast<uint32_t>(v)) >> 8) *
      0x1p-24f;
  return noise * scale + (v == (last + 1) % kVocab ? 2.0f : 0.0f);
}

int64_t claim(const qwen_step_args *args, int64_t cell) {
  auto *counter =
      reinterpret_cast<std::atomic<uint64_t> *>(args->counters + cell * 8);
  return static_cast<int64_t>(counter->fetch_add(1, std::memory_order_relaxed));
}

// Claims rows for the cache, then a barrier, then for the logits, then a
// barrier, then for the greedy tokens. A row of scratch goes through this
// thread's own memory, so that two threads that got the same scratch would
// show.
void step(const qwen_step_args *args) {
  auto *cache = reinterpret_cast<int32_t *>(args->cache);
  auto *logits = reinterpret_cast<float *>(args->arena + kLogitsOffset);
  auto *argmax = reinterpret_cast<int32_t *>(args->arena + kArgmaxOffset);
  auto *scratch = reinterpret_cast<float *>(args->scratch);
  const auto *weights = reinterpret_cast<const float *>(args->weights);
  float scale = weights[0];
  if (args->thread == 0 && weights[1] > 0)
    usleep(static_cast<useconds_t>(weights[1] * 1000));
  for (int64_t t; (t = claim(args, 0)) < args->tokens;)
    cache[args->position + t] = args->ids[t];
  args->barrier(args->team, args->thread);
  for (int64_t t; (t = args->logits_from + claim(args, 1)) < args->tokens;) {
    uint32_t history = 1;
    for (int64_t p = 0; p <= args->position + t; ++p)
      history = mix(history, static_cast<uint32_t>(cache[p]));
    for (int64_t v = 0; v < kVocab; ++v)
      scratch[v] = logit(history, cache[args->position + t], v, scale);
    for (int64_t v = 0; v < kVocab; ++v)
      logits[(t - args->logits_from) * kLogitsStride + v] = scratch[v];
  }
  args->barrier(args->team, args->thread);
  for (int64_t t; (t = args->logits_from + claim(args, 2)) < args->tokens;) {
    const float *row = logits + (t - args->logits_from) * kLogitsStride;
    int32_t best = 0;
    for (int32_t v = 1; v < kVocab; ++v)
      if (row[v] > row[best])
        best = v;
    argmax[t - args->logits_from] = best;
  }
  args->barrier(args->team, args->thread);
}

// Every thread finds the floor in scratch of its own; the first one drops what
// is below.
void screenedStep(const qwen_step_args *args) {
  step(args);
  auto *logits = reinterpret_cast<float *>(args->arena + kLogitsOffset);
  std::vector<float> sorted(logits, logits + kVocab);
  std::sort(sorted.rbegin(), sorted.rend());
  float floor = sorted[0] - static_cast<float>(args->margin) / 256;
  if (args->rank > 0)
    floor = std::max(
        floor, sorted[static_cast<size_t>(std::min(args->rank, kVocab) - 1)]);
  memcpy(args->scratch + kFloorOffset, &floor, sizeof(floor));
  args->barrier(args->team, args->thread);
  if (args->thread == 0)
    for (int64_t v = 0; v < kVocab; ++v)
      if (logits[v] < floor)
        logits[v] = -INFINITY;
  args->barrier(args->team, args->thread);
}

} // namespace

std::vector<float> expectedLogits(std::span<const int32_t> ids) {
  uint32_t history = 1;
  for (int32_t id : ids)
    history = mix(history, static_cast<uint32_t>(id));
  std::vector<float> logits;
  for (int64_t v = 0; v < kVocab; ++v)
    logits.push_back(logit(history, ids.back(), v, 1.0f));
  return logits;
}

} // namespace qwen::toy

using namespace qwen::toy;

extern "C" const qwen_plan qwen_model_plan = {
    .abi_version = QWEN_ABI_VERSION,
    .barrier_spin_us = 0,
    .fingerprint = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255},
    .description = R"({"model": "toy", "formats": ["f32"]})",
    .target = "baseline",
    .features = "sse2",
    .hidden_size = 1,
    .ffn_size = 1,
    .layers = 1,
    .query_heads = 1,
    .key_value_heads = 1,
    .head_width = 1,
    .vocab_size = kVocab,
    .context = kContext,
    .prefill_chunk = kChunk,
    .logits_rows = kLogitsRows,
    .arena_bytes = kArenaBytes,
    .scratch_bytes = kVocab * 4,
    .cache_bytes = kContext * 4,
    .weights_bytes = 64,
    .counters = kCounters,
    .logits_offset = kLogitsOffset,
    .logits_stride = kLogitsStride,
    .argmax_offset = kArgmaxOffset,
    .decode_bytes = 64,
    .cache_token_bytes = 4,
    .screened_bytes = 0,
    .rescored_row_bytes = 0,
    .floor_offset = 0,
    .decode = step,
    .prefill = step,
    .decode_screened = nullptr,
    .taps = "",
    .next = nullptr,
};

const qwen_plan &qwen::toy::screenedPlan() {
  static const qwen_plan plan = [] {
    qwen_plan made = qwen_model_plan;
    made.decode_bytes = 2 * kVocab;
    made.screened_bytes = kVocab;
    made.rescored_row_bytes = 2;
    made.floor_offset = kFloorOffset;
    made.decode_screened = screenedStep;
    return made;
  }();
  return plan;
}
