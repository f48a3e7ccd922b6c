// OutputFileTest.cpp - outputs appear whole or not at all; embedded weights are
// found by their trailer. Run: unit_codegen_emit
// --gtest_filter='OutputFile.*:Embed.*:ChildProcess.*'
#include "codegen/emit/OutputFile.h"
#include "codegen/emit/ChildProcess.h"
#include "codegen/emit/Link.h"
#include "qwen/qwen.h"
#include "tests/unit/TestFolder.h"

#include "gtest/gtest.h"

#include <cstring>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace qwen {
namespace {

std::string read(const std::filesystem::path &path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

size_t fileCount(const std::filesystem::path &folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

std::string message(llvm::Error error) {
  return llvm::toString(std::move(error));
}

TEST(OutputFile, AppearsOnCommit) {
  TestFolder folder;
  {
    OutputFile file(folder.path / "out");
    ASSERT_FALSE(bool(file.write("one")));
    ASSERT_FALSE(bool(file.append(" two")));
    EXPECT_FALSE(std::filesystem::exists(folder.path / "out"));
    ASSERT_FALSE(bool(file.commit()));
  }
  EXPECT_EQ(read(folder.path / "out"), "one two");
  EXPECT_EQ(fileCount(folder.path), 1u);
}

TEST(OutputFile, VanishesWithoutCommit) {
  TestFolder folder;
  std::ofstream(folder.path / "out") << "before";
  {
    OutputFile file(folder.path / "out");
    ASSERT_FALSE(bool(file.write("after")));
  }
  EXPECT_EQ(read(folder.path / "out"), "before");
  EXPECT_EQ(fileCount(folder.path), 1u);
}

TEST(OutputFile, SaysWhatCannotBeWritten) {
  TestFolder folder;
  std::string path = folder.path / "none" / "out";
  OutputFile file(path);
  EXPECT_EQ(message(file.write("x")),
            "cannot write `" + path + "`: No such file or directory");
}

TEST(OutputFile, RefusesToTakeAPipesPlace) {
  TestFolder folder;
  std::string path = folder.path / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  OutputFile file(path);
  const std::string refused =
      "cannot write `" + path +
      "`: not a regular file, and a file that is renamed to it would take its "
      "place";
  EXPECT_EQ(message(file.write("x")), refused);
  EXPECT_EQ(message(file.reserve(1)), refused);
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  EXPECT_EQ(fileCount(folder.path), 1u);
}

TEST(Embed, TrailerFindsTheWeights) {
  TestFolder folder;
  std::string program(5000, 'p'), weights(9000, 'w');
  std::ofstream(folder.path / "app") << program;
  std::ofstream(folder.path / "weights") << weights;
  ASSERT_FALSE(
      bool(embedWeights(folder.path / "app", folder.path / "weights")));
  std::string bytes = read(folder.path / "app");
  qwen_embedded_trailer trailer;
  ASSERT_GT(bytes.size(), sizeof(trailer));
  std::memcpy(&trailer, bytes.data() + bytes.size() - sizeof(trailer),
              sizeof(trailer));
  EXPECT_EQ(std::string(trailer.magic, 8), "QWENEMB1");
  EXPECT_EQ(trailer.offset, 8192u);
  EXPECT_EQ(trailer.bytes, weights.size());
  EXPECT_EQ(bytes.substr(0, 5000), program);
  EXPECT_EQ(bytes.substr(8192, 9000), weights);
  EXPECT_EQ(bytes.size(), 8192 + 9000 + sizeof(trailer));
}

TEST(ChildProcess, SaysHowAProgramEnded) {
  EXPECT_FALSE(bool(runProgram("true", {})));
  EXPECT_EQ(message(runProgram("false", {})),
            "`false` failed with exit code 1");
  EXPECT_EQ(message(runProgram("no-such-program", {})),
            "cannot find the program `no-such-program`");
  std::string killed = message(runProgram("sh", {"-c", "kill -9 $$"}));
  EXPECT_EQ(killed.substr(0, 29), "`sh` did not run to its end: ") << killed;
}

} // namespace
} // namespace qwen
