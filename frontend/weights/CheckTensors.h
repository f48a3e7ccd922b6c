// CheckTensors.h - the tensors a model is made of, and whether a checkpoint has
// them.
//
// Source  HF Qwen2ForCausalLM and Qwen3ForCausalLM state dict
#pragma once

#include "frontend/config/ModelSpec.h"
#include "frontend/diag/Diag.h"
#include "frontend/weights/TensorIndex.h"

#include <cstdint>
#include <string>
#include <vector>

namespace qwen {

struct ExpectedTensor {
  std::string name;           // HF name
  std::vector<int64_t> shape; // slowest first
};

/// Every tensor of the model, in the order the step reads them; `lm_head` only
/// when it is not tied.
std::vector<ExpectedTensor> expectedTensors(const ModelSpec &spec);

/// Reports each tensor that is missing, unknown, of another shape, or a vector
/// that is quantised; of many, the first few and their number.
bool checkTensors(const ModelSpec &spec, const TensorIndex &index,
                  Diagnostics &diags);

} // namespace qwen
