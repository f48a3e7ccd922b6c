// TokenizerTableTest.cpp - damaged tables are refused with a reason, or are
// harmless.
#include "runtime/core/Tokenizer.h"

#include "tests/unit/runtime/core/tokenizer/Corpus.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <random>

namespace qwen {
namespace {

class TokenizerTableTest : public testing::Test {
protected:
  TokenizerTableTest()
      : table(importTable("configs/tiny/tokenizer/tokenizer.json")) {
    std::memcpy(&header, table.data(), sizeof header);
  }

  /// The text of the refusal of `bytes`, read from a block that ends where they
  /// end; "" when they are accepted.
  static std::string refusal(const std::vector<uint8_t> &bytes) {
    size_t words = (bytes.size() + 7) / 8;
    std::unique_ptr<uint64_t[]> block(new uint64_t[words]);
    // Aligned at its start: a sanitiser sees a read past the last word.
    std::copy(bytes.begin(), bytes.end(),
              reinterpret_cast<uint8_t *>(block.get()));
    Result<Tokenizer> tokenizer = Tokenizer::open(
        reinterpret_cast<const uint8_t *>(block.get()), bytes.size());
    if (!tokenizer.ok()) {
      EXPECT_EQ(tokenizer.status().code(), Code::kInvalid);
      return tokenizer.status().text();
    }
    std::vector<int32_t> ids;
    EXPECT_TRUE(tokenizer->encode(
        "it's <|im_end|> a test of the 'Work', \u00e9\u4e2d\n\n  x", true,
        ids));
    tokenizer->decode(ids, true);
    return "";
  }

  std::string
  refusalWith(const std::function<void(qwen_tokenizer_header &)> &change) {
    qwen_tokenizer_header changed = header;
    change(changed);
    std::vector<uint8_t> bytes = table;
    std::memcpy(bytes.data(), &changed, sizeof changed);
    return refusal(bytes);
  }

  template <typename T>
  void poke(std::vector<uint8_t> &bytes, uint64_t offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  }

  std::vector<uint8_t> table;
  qwen_tokenizer_header header;
};

TEST_F(TokenizerTableTest, TheWholeOneOpens) { EXPECT_EQ(refusal(table), ""); }

TEST_F(TokenizerTableTest, EveryTruncationIsRefused) {
  for (size_t size = 0; size < table.size(); ++size) {
    std::string text = refusal({table.begin(), table.begin() + size});
    ASSERT_TRUE(text.starts_with("the tokenizer table is damaged: ")) << size;
  }
}

TEST_F(TokenizerTableTest, DamagedHeaders) {
  const std::string damaged = "the tokenizer table is damaged: ";
  auto with = [&](const std::function<void(qwen_tokenizer_header &)> &change) {
    return refusalWith(change);
  };
  EXPECT_EQ(with([](auto &h) { h.magic[7] = '2'; }),
            damaged + "it does not start with `QWENTOK1`");
  EXPECT_EQ(with([](auto &h) { h.vocab_size = 0; }),
            damaged + "its vocabulary size is 0");
  EXPECT_EQ(with([](auto &h) { h.vocab_size = UINT32_MAX; }),
            damaged + "its vocabulary size is 4294967295");
  EXPECT_EQ(with([](auto &h) { h.merge_slots = 3; }),
            damaged + "its number of merge slots, 3, is no power of two");
  EXPECT_EQ(with([](auto &h) { h.merge_slots = 0; }),
            damaged + "its number of merge slots, 0, is no power of two");
  EXPECT_EQ(with([](auto &h) { h.normalization = 2; }),
            damaged + "its normalization is 2");
  EXPECT_EQ(with([](auto &h) { h.byte_token[65] = 0; }),
            damaged + "byte 65 has no token of its own");
  EXPECT_EQ(with([](auto &h) { h.byte_token[65] = UINT32_MAX; }),
            damaged + "byte 65 has no token of its own");
  using Field = uint64_t qwen_tokenizer_header::*;
  for (Field field :
       {&qwen_tokenizer_header::token_offsets,
        &qwen_tokenizer_header::token_bytes,
        &qwen_tokenizer_header::token_flags, &qwen_tokenizer_header::merges,
        &qwen_tokenizer_header::added, &qwen_tokenizer_header::bytes})
    for (uint64_t value : {uint64_t(0), uint64_t(4), header.bytes + 8,
                           UINT64_MAX - 7, UINT64_MAX})
      EXPECT_NE(with([&](auto &h) { h.*field = value; }), "") << value;
  for (uint32_t value :
       {header.vocab_size + 1, header.vocab_size * 1000, uint32_t(INT32_MAX)})
    EXPECT_NE(with([&](auto &h) { h.vocab_size = value; }), "") << value;
  for (uint32_t value : {header.merge_slots * 2, 1u << 31})
    EXPECT_NE(with([&](auto &h) { h.merge_slots = value; }), "") << value;
  EXPECT_NE(with([](auto &h) { h.added_count = UINT32_MAX; }), "");
}

TEST_F(TokenizerTableTest, DamagedTables) {
  const std::string damaged = "the tokenizer table is damaged: ";
  std::vector<uint8_t> bytes = table;
  poke<uint32_t>(bytes, header.token_offsets + 4, 1u << 30);
  EXPECT_EQ(refusal(bytes), damaged + "token 1 ends before it starts");

  bytes = table;
  poke<uint32_t>(bytes, header.token_offsets + 4 * header.vocab_size, 1u << 30);
  EXPECT_NE(refusal(bytes), "");

  bytes = table;
  poke<uint32_t>(bytes, header.added, header.vocab_size);
  EXPECT_EQ(refusal(bytes), damaged + "added token 0 is token " +
                                std::to_string(header.vocab_size));

  bytes = table;
  poke<uint32_t>(bytes, header.added,
                 header.byte_token['a']); // not flagged as added
  EXPECT_NE(refusal(bytes), "");

  int64_t used = 0;
  for (uint32_t slot = 0; slot < header.merge_slots; ++slot) {
    qwen_merge merge;
    std::memcpy(&merge, table.data() + header.merges + slot * sizeof merge,
                sizeof merge);
    if (merge.left == UINT32_MAX)
      continue;
    ++used;
    uint64_t at = header.merges + slot * sizeof merge;
    for (uint64_t field : {0, 4, 12}) { // left, right, merged
      bytes = table;
      poke<uint32_t>(bytes, at + field, header.vocab_size);
      ASSERT_NE(refusal(bytes), "") << slot;
      bytes = table;
      poke<uint32_t>(bytes, at + field, header.byte_token[0]);
      ASSERT_NE(refusal(bytes), "") << slot;
    }
  }
  EXPECT_GT(used, 100);
}

// Nothing reads out of bounds or hangs, whatever bytes change (run under a
// sanitiser, this has teeth).
TEST_F(TokenizerTableTest, RandomDamage) {
  std::mt19937 random(1);
  int64_t refused = 0;
  constexpr int64_t kRounds = 20000;
  for (int64_t round = 0; round < kRounds; ++round) {
    std::vector<uint8_t> bytes = table;
    for (uint32_t changes = random() % 4 + 1; changes > 0; --changes) {
      // Half of the changes hit the header, which is a small part of the table.
      size_t range = random() % 2 ? bytes.size() : sizeof header;
      bytes[random() % range] = static_cast<uint8_t>(random());
    }
    refused += refusal(bytes) != "";
  }
  EXPECT_GT(refused, kRounds / 2);
}

} // namespace
} // namespace qwen
