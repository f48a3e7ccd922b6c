// ModelSpec.h - the checked shape of one dense Qwen model, whatever file it
// came from.
//
// Source  HF Qwen2Config and Qwen3Config (transformers), GGUF `qwen2.*` and
// `qwen3.*` metadata
#pragma once

#include "frontend/diag/SourcePosition.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace qwen {

/// Every value that later stages use. Built only by `frontend/config`; all
/// invariants below hold afterwards.
struct ModelSpec {
  std::string
      architecture; // "qwen2" or "qwen3": kept for reports, never branched on
  int64_t hiddenSize = 0;    // D
  int64_t ffnSize = 0;       // F, HF `intermediate_size`
  int64_t layers = 0;        // L
  int64_t queryHeads = 0;    // H, a multiple of G
  int64_t keyValueHeads = 0; // G
  int64_t headWidth = 0;     // C, even; H * C need not be D
  int64_t vocabSize = 0;     // V, rows of the embedding, padding rows included
  int64_t maxPositions = 0;  // upper bound of the compiled context
  double ropeTheta = 0;      // RoPE base
  double rmsNormEps = 0;     // added to the mean square
  bool qkvBias = false;      // q, k, v have biases (qwen2)
  bool qkNorm = false; // RMSNorm over C on q and on k, before RoPE (qwen3)
  bool tiedEmbedding = false; // the head is the embedding matrix
  /// Where each key was given ("num_attention_heads" -> line and column), under
  /// its HF name even for a GGUF.
  std::map<std::string, SourcePosition> positions;

  int64_t queriesPerKeyValueHead() const {
    return queryHeads / keyValueHeads;
  } // R
};

} // namespace qwen
