// Pack.h - fills the tensor section of a weights file from checkpoint tensors,
// panel by panel.
//
// Shapes  weights [N, K] in a format of codegen/formats; "vec" [N]; "rope" [S,
// C]
#pragma once

#include <string>

namespace qwen {

/// Carries out the request in the JSON file at `requestPath`:
///
///   {"output": PATH, "sectionOffset": BYTES, "jobs": COUNT, "tensors": [
///     {"name": "model.layers.0.mlp.up_proj.weight", "format": "q5g32",
///     "shape": [4864, 896],
///      "source": {"path": PATH, "offset": BYTES, "size": BYTES, "storedType":
///      "q5_0"}, "planes": [{"name": "q", "offset": BYTES}, ...]},
///     {"name": ..., "format": "vec", "shape": [896], "source": {...},
///     "planes": [{"name": ..., "offset": BYTES}]},
///     {"name": ..., "format": "rope", "shape": [4096, 64], "theta": 1e6,
///     "planes": [{"name": ..., "offset": BYTES}]}]}
///
/// `output` exists; a plane lies at sectionOffset + offset, a multiple of 64.
/// "vec" becomes f32, zero-padded to a multiple of 16. Row p of "rope" holds
/// C/2 cosines, then C/2 sines, of p / theta^(2i/C) in f32. Memory: a few MiB a
/// job. Returns 0, or 1 after one message on stderr; then the output is
/// unfinished. Source  rope: HF transformers, compute_default_rope_parameters
/// and Qwen2RotaryEmbedding
int packMain(const std::string &requestPath);

} // namespace qwen
