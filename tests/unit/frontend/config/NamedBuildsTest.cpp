// ninja unit_frontend_config && bin/unit_frontend_config
// --gtest_filter='NamedBuilds*'
#include "frontend/config/ReadBuild.h"
#include "frontend/config/ReadConfig.h"

#include "tests/unit/TestFolder.h"

#include <fstream>
#include <sstream>

namespace qwen {
namespace {

namespace fs = std::filesystem;

TEST(NamedBuildsTest, everyBuildNamesAModelAndAContextItHasPositionsFor) {
  int64_t builds = 0;
  for (const auto &entry :
       fs::directory_iterator(fs::path(QWENC_SOURCE_DIR) / "configs/builds")) {
    std::ostringstream messages;
    Diagnostics diags(messages);
    std::optional<BuildConfig> build = readBuild(entry.path().string(), diags);
    ASSERT_TRUE(build) << messages.str();
    std::optional<ModelSpec> spec =
        readConfig(build->model + "/config.json", {}, diags);
    ASSERT_TRUE(spec) << entry.path() << messages.str();
    EXPECT_LE(build->context.value_or(1), spec->maxPositions) << entry.path();
    ++builds;
  }
  EXPECT_GT(builds, 0);
}

TEST(NamedBuildsTest, wrongValuesAreRefused) {
  TestFolder folder;
  std::string path = (folder.path / "build.json").string();
  for (const char *text :
       {"[]", "{}", R"({"model": 3})", R"({"model": "m", "context": 0})",
        R"({"model": "m", "context": "8"})", R"({"model": "m", "format": 8})",
        R"({"model": "m", "contxt": 8})"}) {
    std::ostringstream messages;
    Diagnostics diags(messages);
    std::ofstream(path) << text;
    EXPECT_FALSE(readBuild(path, diags)) << text;
  }
}

TEST(NamedBuildsTest, aHubNameStaysAsItIs) {
  TestFolder folder;
  std::string path = (folder.path / "build.json").string();
  std::ofstream(path) << R"({"model": "Org/Model", "format": "bf16"})";
  std::ostringstream messages;
  Diagnostics diags(messages);
  std::optional<BuildConfig> build = readBuild(path, diags);
  ASSERT_TRUE(build) << messages.str();
  EXPECT_EQ(build->model, "Org/Model");
  EXPECT_EQ(build->format, "bf16");
  EXPECT_FALSE(build->context);
}

} // namespace
} // namespace qwen
