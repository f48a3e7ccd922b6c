// Architecture.h - the model families that can be compiled, and what sets them
// apart.
//
// Source  HF transformers modeling_qwen2.py and modeling_qwen3.py
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace qwen {

struct Architecture {
  const char *name;            // `model_type`, and GGUF `general.architecture`
  const char *causalClass;     // the entry of `architectures`
  bool qkvBias;                // q, k, v have biases
  bool qkNorm;                 // RMSNorm over C on q and k
  bool headWidthFromModelSize; // an absent `head_dim` means D / H
};

std::span<const Architecture> architectures();

/// Null when there is none of that name.
const Architecture *findArchitecture(std::string_view name);

/// "qwen2, qwen3": for messages.
std::string architectureNames();

} // namespace qwen
