// Sampler.cpp - the processors in their order, without sorting what they drop.
#include "runtime/core/Sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace qwen {
namespace {

// Larger logits first; equal ones by id, so that the order is total.
bool before(const Candidate &a, const Candidate &b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

} // namespace

Status SamplerOptions::check() const {
  if (!(temperature >= 0 && temperature <= 1e6))
    return Status::invalid("a temperature of %g; it is at least 0",
                           temperature);
  if (topK < 0)
    return Status::invalid(
        "a top-k of %lld; it is at least 0, and 0 keeps every token",
        static_cast<long long>(topK));
  if (!(topP > 0 && topP <= 1))
    return Status::invalid("a top-p of %g; it is above 0 and at most 1", topP);
  if (!(minP >= 0 && minP <= 1))
    return Status::invalid("a min-p of %g; it is at least 0 and at most 1",
                           minP);
  if (!(repetitionPenalty > 0 && repetitionPenalty <= 1e6))
    return Status::invalid(
        "a repetition penalty of %g; it is above 0, and 1 changes nothing",
        repetitionPenalty);
  return {};
}

Random::Random(uint64_t seed) {
  for (uint64_t &word : state_) {
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    word = z ^ (z >> 31);
  }
}

uint64_t Random::next() {
  auto rotate = [](uint64_t x, int k) { return x << k | x >> (64 - k); };
  uint64_t result = rotate(state_[1] * 5, 7) * 9, t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = rotate(state_[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

Sampler::Sampler(const SamplerOptions &options, int64_t vocabSize)
    : options_(options), vocabSize_(vocabSize), random_(options.seed),
      forbidden_(static_cast<size_t>(vocabSize)),
      seen_(static_cast<size_t>(vocabSize)) {
  // Room for every token, so that sampling asks for no memory.
  if (options.temperature > 0) {
    candidates_.reserve(static_cast<size_t>(vocabSize));
    weights_.reserve(static_cast<size_t>(vocabSize));
  }
}

void Sampler::forbid(int32_t id) {
  if (id >= 0 && id < vocabSize_)
    forbidden_[static_cast<size_t>(id)] = true;
}

void Sampler::see(std::span<const int32_t> ids) {
  for (int32_t id : ids)
    if (id >= 0 && id < vocabSize_)
      seen_[static_cast<size_t>(id)] = true;
}

void Sampler::reset() { seen_.assign(seen_.size(), false); }

float Sampler::penalised(const float *logits, int32_t id) const {
  float logit = logits[id];
  auto penalty = static_cast<float>(options_.repetitionPenalty);
  if (!seen_[static_cast<size_t>(id)] || penalty == 1)
    return logit;
  return logit < 0 ? logit * penalty : logit / penalty;
}

bool Sampler::takes(const float *logits, int32_t greedy) const {
  return isGreedy() && greedy >= 0 && greedy < vocabSize_ &&
         !forbidden_[static_cast<size_t>(greedy)] &&
         std::isfinite(logits[greedy]);
}

std::optional<Depth> Sampler::depth() const {
  // Few choices depend on tokens e^-7 times as likely as the first; a penalty
  // brings others nearer.
  constexpr double kUnlikely = 7, kPenalised = 3;
  // A penalty below 1 raises logits: one that is left out might be the largest.
  if (options_.repetitionPenalty < 1)
    return std::nullopt;
  Depth depth{Screening::kMostRank, options_.temperature * kUnlikely};
  if (options_.minP > 0)
    depth.margin =
        options_.temperature * std::min(kUnlikely, 1 - std::log(options_.minP));
  if (options_.repetitionPenalty > 1)
    depth.margin += kPenalised;
  if (options_.temperature == 0)
    return depth;
  if (options_.topK > 0)
    depth.rank = options_.topK + options_.topK / 4 + 4;
  else if (options_.minP == 0 || options_.topP < 1)
    return std::nullopt;
  return depth;
}

bool Sampler::settles(const float *logits, float floor) {
  if (floor == -INFINITY)
    return true;
  if (options_.repetitionPenalty < 1)
    return false;
  // What was below the floor is not above this afterwards: no step of the
  // arithmetic changes an order, though it may make two equal.
  if (options_.temperature == 0)
    return best(logits).logit > floor;
  const auto lowest = static_cast<float>(floor / options_.temperature);
  gather(logits, floor);
  std::erase_if(candidates_, [&](const Candidate &candidate) {
    return !(candidate.logit > lowest);
  });
  const auto count = static_cast<int64_t>(candidates_.size());
  const int64_t kept = options_.topK > 0 ? options_.topK : vocabSize_;
  return count >= kept || (count > 0 && settledBy(lowest, kept - count));
}

bool Sampler::settledBy(float lowest, int64_t others) {
  std::sort(candidates_.begin(), candidates_.end(), before);
  const double most = candidates_[0].logit;
  weights_.clear();
  double sum = 0;
  for (const Candidate &candidate : candidates_) {
    weights_.push_back(std::exp(candidate.logit - most));
    sum += weights_.back();
  }
  // Of another's weight and of all sums, with what rounding may add.
  constexpr double kSlack = 1 + 1e-9;
  const double weight = std::exp(lowest - most) * kSlack,
               highest = (sum + static_cast<double>(others) * weight) * kSlack;
  double kept = 0;
  for (size_t count = 0; count < weights_.size(); ++count) {
    if (count > 0 && weights_[count] < options_.minP)
      return true;
    kept += weights_[count];
    if (options_.topP < 1) {
      if (kept >= options_.topP * highest)
        return true;
      if (kept >= options_.topP * sum)
        return false;
    }
  }
  if (weight < options_.minP)
    return true;
  // All of them are kept, and perhaps others: a draw falls on one of them
  // whatever the others add, or it doesn't.
  const auto drawn = [&](double at) {
    size_t i = 0;
    while (i < weights_.size() && (at -= weights_[i]) >= 0)
      ++i;
    return i;
  };
  const size_t first = drawn(upcoming() * sum),
               last = drawn(upcoming() * highest);
  return last < weights_.size() && first == last;
}

double Sampler::upcoming() {
  if (!upcoming_)
    upcoming_ = random_.uniform();
  return *upcoming_;
}

Candidate Sampler::best(const float *logits) const {
  Candidate best = {-1, -INFINITY};
  for (int32_t id = 0; id < vocabSize_; ++id) {
    if (forbidden_[static_cast<size_t>(id)])
      continue;
    float logit = penalised(logits, id);
    if (std::isfinite(logit) && logit > best.logit)
      best = {id, logit};
  }
  return best;
}

Result<int32_t> Sampler::sample(const float *logits, int32_t greedy,
                                float floor) {
  if (options_.temperature == 0) {
    if (takes(logits, greedy))
      return greedy;
    const int32_t id = best(logits).id;
    if (id < 0)
      return Status::internal("no token has a finite logit");
    return id;
  }
  filter(logits, floor);
  if (candidates_.empty())
    return Status::internal("no token has a finite logit");
  double at =
      upcoming() * std::accumulate(weights_.begin(), weights_.end(), 0.0);
  upcoming_.reset();
  for (size_t i = 0; i + 1 < candidates_.size(); ++i) {
    at -= weights_[i];
    if (at < 0)
      return candidates_[i].id;
  }
  return candidates_.back().id;
}

std::vector<std::pair<int32_t, double>>
Sampler::distribution(const float *logits) {
  filter(logits, -INFINITY);
  double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  std::vector<std::pair<int32_t, double>> result;
  result.reserve(candidates_.size());
  for (size_t i = 0; i < candidates_.size(); ++i)
    result.emplace_back(candidates_[i].id, weights_[i] / sum);
  return result;
}

void Sampler::gather(const float *logits, float floor) {
  // A screened head leaves most blocks without a logit that counts.
  constexpr int64_t kBlock = 16;
  candidates_.clear();
  double temperature = options_.temperature > 0 ? options_.temperature : 1;
  for (int64_t first = 0; first < vocabSize_; first += kBlock) {
    const int64_t end = std::min(first + kBlock, vocabSize_);
    bool any = false;
    for (int64_t id = first; id < end; ++id)
      any |= logits[id] >= floor;
    for (int64_t id = first; any && id < end; ++id) {
      if (forbidden_[static_cast<size_t>(id)] || !(logits[id] >= floor))
        continue;
      auto logit = static_cast<float>(
          penalised(logits, static_cast<int32_t>(id)) / temperature);
      if (std::isfinite(logit))
        candidates_.push_back({static_cast<int32_t>(id), logit});
    }
  }
}

void Sampler::filter(const float *logits, float floor) {
  gather(logits, floor);
  weights_.clear();
  if (candidates_.empty())
    return;
  if (options_.topK > 0) {
    // In order, so that their sum does not depend on which others there were.
    const auto kept =
        std::min(static_cast<size_t>(options_.topK), candidates_.size());
    std::partial_sort(candidates_.begin(),
                      candidates_.begin() + static_cast<ptrdiff_t>(kept),
                      candidates_.end(), before);
    candidates_.resize(kept);
  }
  float most =
      std::min_element(candidates_.begin(), candidates_.end(), before)->logit;
  auto weight = [&](const Candidate &candidate) {
    return std::exp(double{candidate.logit} - most);
  };
  // A token below min-p of the most probable one may still have had a share of
  // top-p's sum, so it counts there.
  double sum = 0;
  for (const Candidate &candidate : candidates_)
    sum += weight(candidate);
  // Sorts only as far as top-p reaches: in pieces that grow, since it is
  // usually near.
  double kept = 0;
  size_t sorted = 0;
  auto enough = [&](size_t count) {
    return count > 0 && options_.topP < 1 && kept >= options_.topP * sum;
  };
  size_t count = 0;
  for (size_t piece = 256; count < candidates_.size() && !enough(count);
       ++count) {
    if (count == sorted) {
      sorted = std::min(candidates_.size(), sorted + piece);
      std::partial_sort(candidates_.begin() + static_cast<ptrdiff_t>(count),
                        candidates_.begin() + static_cast<ptrdiff_t>(sorted),
                        candidates_.end(), before);
      piece *= 16;
    }
    weights_.push_back(weight(candidates_[count]));
    kept += weights_.back();
    if (count > 0 && weights_.back() < options_.minP) {
      weights_.pop_back();
      break;
    }
  }
  candidates_.resize(weights_.size());
}

} // namespace qwen
