// ToyWeights.cpp - the toy's weights file, written field by field from qwen.h.
#include "tests/unit/runtime/core/ToyModel.h"

#include <cstdio>
#include <cstring>

namespace qwen::toy {
namespace {

template <typename T>
uint64_t append(std::vector<uint8_t> &bytes, const std::vector<T> &table) {
  bytes.resize((bytes.size() + 7) / 8 * 8);
  uint64_t offset = bytes.size();
  const auto *from = reinterpret_cast<const uint8_t *>(table.data());
  bytes.insert(bytes.end(), from, from + table.size() * sizeof(T));
  return offset;
}

} // namespace

std::vector<uint8_t> tensorSection(float stepMs) {
  std::vector<uint8_t> bytes(64);
  float one = 1.0f;
  memcpy(bytes.data(), &one, sizeof(one));
  memcpy(bytes.data() + sizeof(one), &stepMs, sizeof(stepMs));
  return bytes;
}

std::vector<uint8_t> tokenizerSection() {
  qwen_tokenizer_header header = {};
  memcpy(header.magic, "QWENTOK1", 8);
  header.vocab_size = kTokens;
  header.merge_slots = 2;
  header.added_count = 2;
  std::vector<uint32_t> offsets;
  std::vector<uint8_t> tokenBytes, flags;
  auto add = [&](const std::string &text, uint8_t flag) {
    offsets.push_back(static_cast<uint32_t>(tokenBytes.size()));
    tokenBytes.insert(tokenBytes.end(), text.begin(), text.end());
    flags.push_back(flag);
  };
  for (int b = 0; b < 256; ++b) {
    header.byte_token[b] = static_cast<uint32_t>(b);
    add(std::string(1, static_cast<char>(b)), 0);
  }
  add("<|im_end|>", QWEN_TOKEN_ADDED | QWEN_TOKEN_SPECIAL);
  add("<|im_start|>", QWEN_TOKEN_ADDED | QWEN_TOKEN_SPECIAL);
  add("unused", QWEN_TOKEN_UNUSED);
  offsets.push_back(static_cast<uint32_t>(tokenBytes.size()));
  std::vector<uint8_t> bytes(sizeof(header));
  header.token_offsets = append(bytes, offsets);
  header.token_bytes = append(bytes, tokenBytes);
  header.token_flags = append(bytes, flags);
  header.merges =
      append(bytes, std::vector<qwen_merge>(2, {UINT32_MAX, 0, 0, 0}));
  header.added = append(bytes, std::vector<uint32_t>{kStartId, kEndId});
  header.bytes = bytes.size();
  memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

std::string generationSection() {
  return R"({"stop_ids": [256], "temperature": 0.5, "top_k": 4, "chat_template": ")"
         R"({% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + )"
         R"('<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"})";
}

std::vector<uint8_t> weightsFile(const std::vector<uint8_t> &tensors,
                                 const std::vector<uint8_t> &tokenizer,
                                 const std::string &generation) {
  constexpr size_t kPage = 4096;
  qwen_weights_header header = {};
  memcpy(header.magic, QWEN_WEIGHTS_MAGIC, 8);
  header.abi_version = QWEN_ABI_VERSION;
  header.section_count = QWEN_SECTION_COUNT;
  memcpy(header.fingerprint, qwen_model_plan.fingerprint, 16);
  std::vector<uint8_t> bytes(sizeof(header));
  auto place = [&](int kind, const void *data, size_t size) {
    bytes.resize((bytes.size() + kPage - 1) / kPage * kPage);
    header.sections[kind] = {bytes.size(), size};
    bytes.insert(bytes.end(), static_cast<const uint8_t *>(data),
                 static_cast<const uint8_t *>(data) + size);
  };
  place(QWEN_SECTION_TENSORS, tensors.data(), tensors.size());
  place(QWEN_SECTION_TOKENIZER, tokenizer.data(), tokenizer.size());
  place(QWEN_SECTION_GENERATION, generation.data(), generation.size());
  header.file_bytes = bytes.size();
  memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

void writeBytes(const std::string &path, const std::vector<uint8_t> &bytes) {
  FILE *file = fopen(path.c_str(), "wb");
  fwrite(bytes.data(), 1, bytes.size(), file);
  fclose(file);
}

} // namespace qwen::toy
