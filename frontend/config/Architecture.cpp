// Architecture.cpp - the table of model families.
#include "frontend/config/Architecture.h"

namespace qwen {
namespace {

constexpr Architecture kArchitectures[] = {
    {.name = "qwen2",
     .causalClass = "Qwen2ForCausalLM",
     .qkvBias = true,
     .qkNorm = false,
     .headWidthFromModelSize = true},
    {.name = "qwen3",
     .causalClass = "Qwen3ForCausalLM",
     .qkvBias = false,
     .qkNorm = true,
     .headWidthFromModelSize = false},
};

} // namespace

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture *findArchitecture(std::string_view name) {
  for (const Architecture &candidate : kArchitectures)
    if (name == candidate.name)
      return &candidate;
  return nullptr;
}

std::string architectureNames() {
  std::string names;
  for (const Architecture &candidate : kArchitectures) {
    if (!names.empty())
      names += ", ";
    names += candidate.name;
  }
  return names;
}

} // namespace qwen
