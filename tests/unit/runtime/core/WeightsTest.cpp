// WeightsTest.cpp - run alone: unit_runtime_core --gtest_filter='Weights*'
#include "runtime/core/Weights.h"
#include "tests/unit/runtime/core/ToyModel.h"

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <unistd.h>

namespace qwen {
namespace {

class WeightsFile : public testing::Test {
protected:
  std::string path =
      testing::TempDir() + "weights_" +
      testing::UnitTest::GetInstance()->current_test_info()->name();
  std::vector<uint8_t> bytes =
      toy::weightsFile(toy::tensorSection(), toy::tokenizerSection(), "{}");

  void TearDown() override { unlink(path.c_str()); }
  qwen_weights_header &header() {
    return *reinterpret_cast<qwen_weights_header *>(bytes.data());
  }

  // The text of the refusal, without the path; "" if the file opens.
  std::string refusal() {
    toy::writeBytes(path, bytes);
    Result<Weights> weights = Weights::open(qwen_model_plan, path);
    if (weights.ok())
      return "";
    EXPECT_EQ(weights.status().where(), path);
    EXPECT_EQ(weights.status().exitCode(), 1);
    return weights.status().text();
  }
};

TEST_F(WeightsFile, SectionsAreWhatWasWritten) {
  toy::writeBytes(path, bytes);
  Result<Weights> weights = Weights::open(qwen_model_plan, path);
  ASSERT_TRUE(weights.ok()) << weights.status().text();
  EXPECT_EQ(memcmp(weights->tensors(), toy::tensorSection().data(), 64), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weights->tensors()) % 64, 0u);
  EXPECT_EQ(std::vector<uint8_t>(weights->tokenizer().begin(),
                                 weights->tokenizer().end()),
            toy::tokenizerSection());
  EXPECT_EQ(weights->generation(), "{}");
}

TEST_F(WeightsFile, AModelWithoutATokenizerHasAnEmptySection) {
  bytes = toy::weightsFile(toy::tensorSection(), {}, "");
  toy::writeBytes(path, bytes);
  Result<Weights> weights = Weights::open(qwen_model_plan, path);
  ASSERT_TRUE(weights.ok()) << weights.status().text();
  EXPECT_TRUE(weights->tokenizer().empty());
  EXPECT_EQ(weights->generation(), "");
}

TEST_F(WeightsFile, EveryDamagedFieldIsRefusedWithBothNumbers) {
  const std::vector<uint8_t> good = bytes;
  const std::string size = std::to_string(good.size());
  struct {
    std::function<void()> damage;
    std::string text;
  } const cases[] = {
      {[&] { header().magic[7] = '2'; },
       "not a weights file: it does not start with `QWENWTS1`"},
      {[&] { header().abi_version = 9; },
       "the weights have ABI version 9; this executable reads " +
           std::to_string(QWEN_ABI_VERSION)},
      {[&] { header().section_count = 4; },
       "the weights have 4 sections; this executable reads 3"},
      {[&] { header().fingerprint[0] = 0xab; },
       "the weights are of another model or build: fingerprint "
       "ab0102030405060708090a0b0c0d0eff; this executable needs "
       "000102030405060708090a0b0c0d0eff"},
      {[&] { header().file_bytes = 5; },
       "the weights have " + size + " bytes; their header says 5"},
      {[&] { bytes.push_back(0); }, "the weights have " +
                                        std::to_string(good.size() + 1) +
                                        " bytes; their header says " + size},
      {[&] { bytes.resize(bytes.size() - 1); },
       "the weights have " + std::to_string(good.size() - 1) +
           " bytes; their header says " + size},
      {[&] { bytes.resize(sizeof(qwen_weights_header) - 1); },
       "the weights have " + std::to_string(sizeof(qwen_weights_header) - 1) +
           " bytes; their header alone has " +
           std::to_string(sizeof(qwen_weights_header))},
      {[&] { bytes.clear(); },
       "the weights have 0 bytes; their header alone has " +
           std::to_string(sizeof(qwen_weights_header))},
      {[&] { header().sections[0].offset = 4097; },
       "the tensor section starts at byte 4097, which is not a multiple of "
       "4096"},
      {[&] { header().sections[0].offset = 0; },
       "the tensor section (64 bytes at byte 0) is not inside the weights (" +
           size + " bytes)"},
      {[&] { header().sections[1].offset = 1ull << 40; },
       "the tokenizer section (" +
           std::to_string(toy::tokenizerSection().size()) +
           " bytes at byte 1099511627776) is not inside the weights (" + size +
           " bytes)"},
      {[&] { header().sections[2].bytes = UINT64_MAX; },
       "the generation section (18446744073709551615 bytes at byte " +
           std::to_string(header().sections[2].offset) +
           ") is not inside the weights (" + size + " bytes)"},
      {[&] { header().sections[0].bytes = 60; },
       "the tensor section has 60 bytes; this executable needs 64"},
      {[&] { header().sections[0].bytes = 0; },
       "the tensor section has 0 bytes; this executable needs 64"},
  };
  EXPECT_EQ(refusal(), "");
  for (const auto &test : cases) {
    bytes = good;
    test.damage();
    EXPECT_EQ(refusal(), test.text);
  }
}

TEST_F(WeightsFile, EmbeddedOnesAreFoundThroughTheTrailer) {
  std::vector<uint8_t> weights = bytes;
  bytes.assign(8192, 0x7f); // the executable
  bytes.insert(bytes.end(), weights.begin(), weights.end());
  qwen_embedded_trailer trailer = {
      {'Q', 'W', 'E', 'N', 'E', 'M', 'B', '1'}, 8192, weights.size()};
  const auto *raw = reinterpret_cast<const uint8_t *>(&trailer);
  bytes.insert(bytes.end(), raw, raw + sizeof(trailer));
  EXPECT_EQ(refusal(), "");
  Result<Weights> opened =
      Weights::openFile(qwen_model_plan, path, /*embeddedOnly=*/true);
  ASSERT_TRUE(opened.ok()) << opened.status().text();
  EXPECT_EQ(opened->bytes(), static_cast<int64_t>(weights.size()));
  EXPECT_EQ(memcmp(opened->tensors(), toy::tensorSection().data(), 64), 0);

  auto *written = reinterpret_cast<qwen_embedded_trailer *>(
      bytes.data() + bytes.size() - sizeof(trailer));
  written->offset = 1ull << 62;
  EXPECT_EQ(
      refusal(),
      "the embedded weights (" + std::to_string(weights.size()) +
          " bytes at byte 4611686018427387904) are not inside the file (" +
          std::to_string(bytes.size()) + " bytes)");
  written->offset = 8192;
  written->bytes = weights.size() + 1;
  EXPECT_NE(refusal(), "");
}

TEST_F(WeightsFile, WithoutATrailerNothingIsEmbedded) {
  toy::writeBytes(path, bytes);
  Result<Weights> weights =
      Weights::openFile(qwen_model_plan, path, /*embeddedOnly=*/true);
  EXPECT_EQ(weights.status().code(), Code::kUnsupported);
}

TEST_F(WeightsFile, WhatCannotBeOpenedIsSaid) {
  EXPECT_EQ(Weights::open(qwen_model_plan, path).status().text(),
            "cannot open the weights: No such file or directory");
  EXPECT_EQ(Weights::open(qwen_model_plan, "/").status().text(),
            "the weights are not a regular file");
}

TEST_F(WeightsFile, TheDefaultIsBesideTheExecutable) {
  Result<Weights> weights = Weights::open(qwen_model_plan, "");
  ASSERT_FALSE(weights.ok());
  EXPECT_EQ(weights.status().line("app"),
            *executablePath() + ".weights: error: no weights file beside the "
                                "executable; give one with --weights PATH");
}

} // namespace
} // namespace qwen
