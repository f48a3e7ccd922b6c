// GgufNames.cpp - llama.cpp's tensor names in HF's words.
#include "frontend/weights/Gguf.h"

#include <algorithm>
#include <cctype>

namespace qwen {
namespace {

struct NameRow {
  std::string_view gguf;
  std::string_view hf;
};

constexpr NameRow kModelNames[] = {
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
};

constexpr NameRow kLayerNames[] = {
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

template <size_t N>
std::string_view lookUp(const NameRow (&rows)[N], std::string_view name) {
  for (const NameRow &row : rows)
    if (row.gguf == name)
      return row.hf;
  return {};
}

} // namespace

std::string hfTensorName(std::string_view ggufName) {
  std::string unknown(ggufName);
  size_t dot = ggufName.rfind('.');
  if (dot == std::string_view::npos)
    return unknown;
  std::string_view stem = ggufName.substr(0, dot);
  std::string_view suffix = ggufName.substr(dot); // ".weight" or ".bias"
  if (suffix != ".weight" && suffix != ".bias")
    return unknown;

  constexpr std::string_view kLayerPrefix = "blk.";
  std::string result;
  std::string_view word;
  if (stem.starts_with(kLayerPrefix)) {
    std::string_view rest = stem.substr(kLayerPrefix.size());
    size_t end = rest.find('.');
    std::string_view number = rest.substr(0, end);
    bool isNumber = !number.empty() &&
                    std::all_of(number.begin(), number.end(),
                                [](char c) { return c >= '0' && c <= '9'; });
    if (end == std::string_view::npos || !isNumber)
      return unknown;
    word = lookUp(kLayerNames, rest.substr(end + 1));
    result = "model.layers." + std::string(number) + ".";
  } else {
    word = lookUp(kModelNames, stem);
  }
  if (word.empty())
    return unknown;
  return result.append(word).append(suffix);
}

} // namespace qwen
