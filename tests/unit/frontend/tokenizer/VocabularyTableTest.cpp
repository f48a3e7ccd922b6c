// VocabularyTableTest.cpp - what is written can be found again by the rules of
// qwen.h.
#include "frontend/tokenizer/VocabularyTable.h"

#include "gtest/gtest.h"

#include <cstring>
#include <random>
#include <sstream>

namespace qwen {
namespace {

class VocabularyTableTest : public testing::Test {
protected:
  VocabularyTableTest() {
    for (int byte = 0; byte < 256; ++byte)
      EXPECT_TRUE(
          table.addToken(byte, name(byte), {static_cast<char>(byte)}, 0, {}));
  }

  static std::string name(int byte) {
    return std::string("b") + std::to_string(byte) + ";";
  }

  const qwen_tokenizer_header &write() {
    section = *table.write(true, {});
    return *reinterpret_cast<const qwen_tokenizer_header *>(section.data());
  }
  template <typename T> const T *at(uint64_t offset) const {
    return reinterpret_cast<const T *>(section.data() + offset);
  }

  std::ostringstream messages;
  Diagnostics diags{messages};
  VocabularyTable table{1 << 20, diags};
  std::vector<uint8_t> section;
};

TEST_F(VocabularyTableTest, EveryMergeIsNearItsHash) {
  std::mt19937 random(1);
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
  for (int64_t id = 256; id < 20000;) {
    int left = static_cast<int>(random() % 256),
        right = static_cast<int>(random() % 256);
    if (table.find(name(left) + name(right)) >= 0)
      continue;
    ASSERT_TRUE(table.addToken(
        id, name(left) + name(right),
        {static_cast<char>(left), static_cast<char>(right)}, 0, {}));
    ASSERT_TRUE(table.addMerge(static_cast<int64_t>(pairs.size()), name(left),
                               name(right), {}));
    pairs.emplace_back(left, right);
    ++id;
  }
  const qwen_tokenizer_header &header = write();
  EXPECT_LE(header.merge_slots, 4 * pairs.size());
  const auto *slots = at<qwen_merge>(header.merges);
  for (uint32_t rank = 0; rank < pairs.size(); ++rank) {
    auto [left, right] = pairs[rank];
    uint32_t slot = qwen_merge_hash(left, right, header.merge_slots),
             probes = 0;
    while (slots[slot].left != left || slots[slot].right != right) {
      ASSERT_NE(slots[slot].left, UINT32_MAX)
          << "an empty slot ends the search";
      ASSERT_LT(++probes, QWEN_MERGE_PROBES);
      slot = (slot + 1) & (header.merge_slots - 1);
    }
    EXPECT_EQ(slots[slot].rank, rank);
    EXPECT_EQ(slots[slot].merged, 256 + rank);
  }
}

TEST_F(VocabularyTableTest, AddedTokensComeLongestFirst) {
  for (auto [id, text] : {std::pair(300, "<a>"), std::pair(301, "<longer>"),
                          std::pair(302, "<b>")})
    ASSERT_TRUE(table.addToken(id, text, text, QWEN_TOKEN_ADDED, {}));
  const qwen_tokenizer_header &header = write();
  ASSERT_EQ(header.added_count, 3u);
  const auto *added = at<uint32_t>(header.added);
  EXPECT_EQ(added[0], 301u);
  EXPECT_EQ(added[1], 300u);
  EXPECT_EQ(added[2], 302u);
}

TEST_F(VocabularyTableTest, IdsThatAreNotGivenAreUnused) {
  ASSERT_TRUE(table.addToken(258, "<x>", "<x>",
                             QWEN_TOKEN_ADDED | QWEN_TOKEN_SPECIAL, {}));
  const qwen_tokenizer_header &header = write();
  EXPECT_EQ(header.vocab_size, 259u);
  const auto *flags = at<uint8_t>(header.token_flags);
  EXPECT_EQ(flags[256], QWEN_TOKEN_UNUSED);
  EXPECT_EQ(flags[257], QWEN_TOKEN_UNUSED);
  EXPECT_EQ(flags[258], QWEN_TOKEN_ADDED | QWEN_TOKEN_SPECIAL);
  EXPECT_EQ(flags[0], 0);
}

} // namespace
} // namespace qwen
