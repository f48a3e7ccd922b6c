// WeightsFileTest.cpp - sections of a weights file, and when an existing one is
// kept. Run: unit_codegen_emit --gtest_filter='WeightsFileTest.*'
#include "codegen/emit/WeightsFile.h"
#include "qwen/qwen.h"
#include "tests/unit/TestFolder.h"

#include "gtest/gtest.h"

#include <cstring>
#include <fstream>
#include <sstream>

namespace qwen {
namespace {

std::string read(const std::filesystem::path &path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// A packer that keeps its request beside it and writes nothing into the tensor
/// section.
struct WeightsFileTest : testing::Test {
  TestFolder folder;
  WeightsFile file{{1, 2, 3}, 100, {}, {}, "TOKENIZER", R"({"stop_ids":[7]})"};

  WeightsFileTest() {
    std::ofstream(folder.path / "packer")
        << "#!/bin/sh\ncp \"$2\" " << folder.path / "request" << "\n"
        << "echo run >> " << folder.path / "runs" << "\n";
    std::filesystem::permissions(folder.path / "packer",
                                 std::filesystem::perms::owner_all);
    std::ofstream(folder.path / "source") << "0123456789";
    file.tensors.push_back({"w", "f32", {16, 1}, {{"w", 0}}, 0});
    file.tensors.push_back({"rope_table", "rope", {2, 2}, {{"t", 64}}, 1e4});
    file.sources["w"] = {folder.path / "source", 2, 8, "f32"};
  }

  llvm::Error write() {
    OutputFile output(folder.path / "out");
    llvm::Expected<bool> written =
        writeWeightsFile(file, output, {folder.path / "packer", 1});
    if (!written)
      return written.takeError();
    return *written ? output.commit() : llvm::Error::success();
  }
  int64_t runs() {
    std::string text = read(folder.path / "runs");
    return std::count(text.begin(), text.end(), '\n');
  }
};

TEST_F(WeightsFileTest, SectionsStartAtPages) {
  ASSERT_FALSE(bool(write()));
  std::string bytes = read(folder.path / "out");
  qwen_weights_header header;
  ASSERT_GE(bytes.size(), sizeof(header));
  std::memcpy(&header, bytes.data(), sizeof(header));
  EXPECT_EQ(std::string(header.magic, 8), QWEN_WEIGHTS_MAGIC);
  EXPECT_EQ(header.abi_version, QWEN_ABI_VERSION);
  EXPECT_EQ(header.section_count, uint32_t(QWEN_SECTION_COUNT));
  EXPECT_EQ(header.file_bytes, bytes.size());
  EXPECT_EQ(std::memcmp(header.fingerprint, file.fingerprint.data(), 16), 0);
  for (const qwen_section &section : header.sections)
    EXPECT_EQ(section.offset % 4096, 0u);
  auto section = [&](int kind) {
    return bytes.substr(header.sections[kind].offset,
                        header.sections[kind].bytes);
  };
  EXPECT_EQ(section(QWEN_SECTION_TOKENIZER), "TOKENIZER");
  EXPECT_NE(section(QWEN_SECTION_GENERATION).find(R"("stop_ids":[7])"),
            std::string::npos);
  EXPECT_EQ(header.sections[QWEN_SECTION_TENSORS].bytes, 100u);

  std::string request = read(folder.path / "request");
  EXPECT_NE(request.find(
                "\"sectionOffset\":" +
                std::to_string(header.sections[QWEN_SECTION_TENSORS].offset)),
            std::string::npos);
  EXPECT_NE(request.find(R"("source":{"offset":2,)"), std::string::npos)
      << request;
  EXPECT_NE(request.find(R"("theta":10000)"), std::string::npos) << request;
}

TEST_F(WeightsFileTest, KeptWhileNothingChanges) {
  ASSERT_FALSE(bool(write()));
  ASSERT_FALSE(bool(write()));
  EXPECT_EQ(runs(), 1);
}

TEST_F(WeightsFileTest, PackedAgainAfterAnyChange) {
  ASSERT_FALSE(bool(write()));
  file.fingerprint[15] = 1;
  ASSERT_FALSE(bool(write()));
  EXPECT_EQ(runs(), 2);
  file.generation = "{}";
  ASSERT_FALSE(bool(write()));
  EXPECT_EQ(runs(), 3);
  file.tokenizer = "tokenizer";
  ASSERT_FALSE(bool(write()));
  EXPECT_EQ(runs(), 4);
  std::filesystem::last_write_time(
      folder.path / "source",
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  ASSERT_FALSE(bool(write()));
  EXPECT_EQ(runs(), 5);
  std::filesystem::resize_file(folder.path / "out", 4096);
  ASSERT_FALSE(bool(write()));
  EXPECT_EQ(runs(), 6);
  std::ofstream(folder.path / "packer", std::ios::app) << "# another packer\n";
  ASSERT_FALSE(bool(write()));
  EXPECT_EQ(runs(), 7);
}

TEST_F(WeightsFileTest, NothingIsLeftWhenPackingFails) {
  std::ofstream(folder.path / "packer") << "#!/bin/sh\nexit 1\n";
  std::string message = llvm::toString(write());
  EXPECT_EQ(message, "`" + (folder.path / "packer").string() +
                         "` failed with exit code 1");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path), {}),
            2);
}

TEST_F(WeightsFileTest, ATensorWithoutASourceIsNamed) {
  file.sources.clear();
  EXPECT_EQ(llvm::toString(write()), "the checkpoint has no tensor `w`");
}

} // namespace
} // namespace qwen
