// TestFolder.h - a folder of the running test's own, so that tests may run side
// by side.
#pragma once

#include "gtest/gtest.h"

#include <filesystem>
#include <string>
#include <unistd.h>

namespace qwen {

/// Made empty at the start and removed at the end of its life.
class TestFolder {
public:
  TestFolder() {
    const testing::TestInfo *test =
        testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(test->test_suite_name()) + "." +
                       test->name() + "." + std::to_string(getpid());
    for (char &c : name)
      if (c == '/')
        c = '_';
    path = std::filesystem::path(testing::TempDir()) / name;
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  TestFolder(const TestFolder &) = delete;
  TestFolder &operator=(const TestFolder &) = delete;
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  std::filesystem::path path;
};

} // namespace qwen
