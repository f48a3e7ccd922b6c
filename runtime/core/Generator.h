// Generator.h - the decode loop: from a prompt to the tokens that follow it.
#ifndef QWEN_RUNTIME_CORE_GENERATOR_H
#define QWEN_RUNTIME_CORE_GENERATOR_H

#include "runtime/core/PromptLookup.h"
#include "runtime/core/Sampler.h"
#include "runtime/core/Session.h"
#include "runtime/core/StopTokens.h"

#include <cstdint>
#include <functional>
#include <span>

namespace qwen {

enum class Ending {
  kStopToken,   // the model ended its answer; the stop token was given to
                // `onToken` too
  kLimit,       // `maxTokens` reached
  kContextFull, // the cache has no room for the last token
  kCancelled,   // the user asked to stop
};

/// Appends `id` to the session; then `sampler` chooses from what that leaves
/// what it would choose from all logits. kInvalid as `Session::check`.
Status decodeFor(Session &session, Sampler &sampler, int32_t id);

/// Prefills what the cache lacks of `ids`, then samples up to `maxTokens`
/// tokens (negative: no limit) and calls `onToken` with each as soon as it is
/// known. `ids` is the whole sequence from position 0; a prefix that the cache
/// already holds is not computed again. The last token given is not in the
/// cache yet. Steps take along what `lookup`, which keeps its account from call
/// to call, drafts; the tokens given are the same without.
Result<Ending> generate(Session &session, Sampler &sampler,
                        const StopTokens &stops, std::span<const int32_t> ids,
                        int64_t maxTokens,
                        const std::function<Status(int32_t id)> &onToken,
                        PromptLookup &lookup);

} // namespace qwen

#endif
