// Generator.cpp - prefill, then sample and decode until something ends it.
#include "runtime/core/Generator.h"
#include "runtime/core/Cancellation.h"

namespace qwen {

Result<Ending> generate(Session &session, Sampler &sampler,
                        const StopTokens &stops, std::span<const int32_t> ids,
                        int64_t maxTokens,
                        const std::function<Status(int32_t)> &onToken) {
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
  for (int64_t count = 0; maxTokens < 0 || count < maxTokens; ++count) {
    if (cancellationRequested())
      return Ending::kCancelled;
    Result<int32_t> id =
        sampler.sample(session.logits(), session.greedyToken());
    if (!id.ok())
      return id.status();
    sampler.see({&*id, 1});
    if (Status given = onToken(*id); !given.ok())
      return given;
    if (stops.contains(*id))
      return Ending::kStopToken;
    if (count + 1 == maxTokens)
      break;
    if (session.position() == session.plan().context)
      return Ending::kContextFull;
    if (Status decoded = session.decode(*id); !decoded.ok())
      return decoded;
  }
  return Ending::kLimit;
}

} // namespace qwen
