// Int8Attention.h - attention over an int8 cache, and what its reference needs.
#pragma once

#include "codegen/kernels/Trial.h"

#include <vector>

namespace qwen::codegen {

void buildInt8Attention(BuildContext &context);

/// Row t of query head r [C] as the kernel multiplies it.
std::vector<double> int8Query(const Trial &trial, int64_t t, int64_t r);

/// What the codes of weights [count] / `sum` may lose of column c.
double codedWeightsBound(const Trial &trial, const std::vector<double> &weights,
                         double sum, int64_t c);

} // namespace qwen::codegen
