// Model.cpp - opening the model.
#include "runtime/cli/Model.h"
#include "runtime/core/CpuFeatures.h"
#include "runtime/core/HostCpus.h"

namespace qwen {

const qwen_plan &modelPlan() {
  // The first that this CPU can run; where it runs none, the last asks for
  // least and says what is missing.
  static const qwen_plan &chosen = []() -> const qwen_plan & {
    const qwen_plan *plan = &qwen_model_plan;
    while (plan->next && !checkCpuFeatures(plan->features, plan->target).ok())
      plan = plan->next;
    return *plan;
  }();
  return chosen;
}

OptionRow ModelOptions::weightsRow() {
  return {"--weights", &weights,
          "weights file (default: those in the executable, else the "
          "executable's path + `.weights`)"};
}

std::vector<OptionRow> ModelOptions::rows() {
  return {weightsRow(),
          {"-t,--threads", &threads,
           "threads (default: the physical cores that this process may use)"},
          {"--chunk", &chunk,
           "prompt tokens of one step (default: as many as the executable was "
           "built for)"},
          {"--poison", &poison, "fill all buffers with NaN first; for tests"}};
}

Result<int64_t> ModelOptions::teamThreads() const {
  if (!threads)
    return defaultThreads();
  if (*threads < 1 || *threads > kMaxThreads)
    return Status::invalid("--threads is %lld; it is 1 to %lld",
                           static_cast<long long>(*threads),
                           static_cast<long long>(kMaxThreads));
  return *threads;
}

Result<std::unique_ptr<Model>> Model::open(const ModelOptions &options) {
  const qwen_plan &plan = modelPlan();
  if (plan.abi_version != QWEN_ABI_VERSION)
    return Status::internal(
        "the model object has ABI version %u, the runtime %u", plan.abi_version,
        QWEN_ABI_VERSION);
  if (Status status = checkCpuFeatures(plan.features, plan.target);
      !status.ok())
    return status;
  if (options.chunk &&
      (*options.chunk < 1 || *options.chunk > plan.prefill_chunk))
    return Status::invalid("--chunk is %lld; this executable takes 1 to %lld",
                           static_cast<long long>(*options.chunk),
                           static_cast<long long>(plan.prefill_chunk));
  Result<int64_t> threads = options.teamThreads();
  if (!threads.ok())
    return threads.status();
  Result<Weights> weights = Weights::open(plan, options.weights);
  if (!weights.ok())
    return weights.status();
  Result<std::unique_ptr<Team>> team =
      Team::create(*threads, plan.barrier_spin_us);
  if (!team.ok())
    return team.status();
  auto model = std::make_unique<Model>();
  model->weights = std::move(*weights);
  model->team = std::move(*team);
  Result<std::unique_ptr<Session>> session = Session::create(
      plan, model->weights.tensors(), *model->team,
      {.prefillChunk = options.chunk.value_or(0), .poison = options.poison});
  if (!session.ok())
    return session.status();
  model->session = std::move(*session);
  return model;
}

} // namespace qwen
