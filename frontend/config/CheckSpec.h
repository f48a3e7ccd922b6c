// CheckSpec.h - the invariants of a ModelSpec that hold between its fields.
#pragma once

#include "frontend/config/ModelSpec.h"
#include "frontend/diag/Diag.h"

namespace qwen {

/// Largest value of a width, a head count or the vocabulary: extents and byte
/// strides of kernels are int32.
inline constexpr int64_t kLargestDimension = int64_t(1) << 24;
inline constexpr int64_t kMostLayers = 4096;
/// Token positions are int32.
inline constexpr int64_t kLargestPosition = int64_t(1) << 30;
/// Parameters of a whole model; byte counts stay far below 2^63.
inline constexpr int64_t kMostParameters = int64_t(1) << 48;

/// Reports every broken rule at the place of the keys concerned: ranges, G
/// divides H, C even, H * C and the parameter count representable, eps and
/// theta positive and finite.
bool checkSpec(const ModelSpec &spec, Diagnostics &diags);

/// Elements of all weights, biases and norms; saturates at 2^63 - 1.
int64_t countParameters(const ModelSpec &spec);

} // namespace qwen
