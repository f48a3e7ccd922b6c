// ninja test_errors && bin/test_errors --gtest_filter='*ConfigUnknownKey'
#include "frontend/config/ReadBuild.h"
#include "frontend/tokenizer/TokenizerImport.h"
#include "frontend/weights/Dequantize.h"
#include "frontend/weights/OpenModel.h"
#include "tests/errors/Recipe.h"
#include "tests/unit/TestFolder.h"

#include "nlohmann/json.hpp"
#include "gtest/gtest.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace qwen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char *kErrors = QWENC_SOURCE_DIR "/tests/errors";

std::string readFile(const fs::path &path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string replaceAll(std::string text, const std::string &from,
                       const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

/// Everything a folder's fault can be found by: opening the model, reading its
/// tokenizer, reading a tensor.
class ErrorTest : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    source = fs::path(kErrors) / GetParam();
    fs::copy(source, folder.path, fs::copy_options::recursive);
    if (fs::exists(source / "test.json"))
      test = Json::parse(readFile(source / "test.json"));
    for (const auto &entry : fs::directory_iterator(source))
      if (entry.path().extension() == ".recipe")
        assemble(entry.path());
    const Json sizes = part("sizes"), links = part("links");
    for (const auto &[name, bytes] : sizes.items())
      resize(name, bytes);
    for (const auto &[name, target] : links.items())
      fs::create_symlink(target.get<std::string>(), folder.path / name);
  }

  Json part(const char *key) const { return test.value(key, Json::object()); }

  void assemble(const fs::path &recipe) {
    std::string problem;
    std::optional<std::string> bytes =
        assembleRecipe(readFile(recipe), problem);
    ASSERT_TRUE(bytes) << recipe << ": " << problem;
    std::ofstream(folder.path / recipe.stem(), std::ios::binary) << *bytes;
  }

  void resize(const std::string &name, const Json &bytes) {
    std::ofstream made(folder.path / name, std::ios::app);
    made.close();
    fs::resize_file(folder.path / name, bytes.get<uintmax_t>());
  }

  void run(Diagnostics &diags) {
    if (test.contains("build")) {
      EXPECT_FALSE(readBuild((folder.path / test["build"]).string(), diags));
      return;
    }
    OpenModelOptions options;
    for (const Json &key : test.value("ignore_keys", Json::array()))
      options.ignoredKeys.push_back(key);
    std::string model = test.value("model", ".");
    if (test.contains("hub_cache"))
      options.hubCache = (folder.path / test["hub_cache"]).string();
    else
      model =
          model == "." ? folder.path.string() : (folder.path / model).string();
    std::optional<CheckpointSource> opened = openModel(model, options, diags);
    if (!opened)
      return;
    int64_t rows = opened->spec.vocabSize;
    if (opened->gguf && !opened->tokenizerPath.empty())
      importTokenizerGguf(*opened->gguf, rows, diags);
    else if (!opened->tokenizerPath.empty())
      importTokenizerJson(opened->tokenizerPath, rows, diags);
    if (test.contains("read_after_truncation")) {
      const StoredTensor &tensor =
          opened->tensors->at(test["read_after_truncation"]);
      fs::resize_file(tensor.path, uintmax_t(tensor.offsetBytes));
      std::vector<double> values;
      EXPECT_FALSE(readTensorRows(tensor, 0, 1, values, diags));
    }
  }

  fs::path source;
  TestFolder folder;
  Json test = Json::object();
};

TEST_P(ErrorTest, givesItsExactText) {
  std::ostringstream messages;
  Diagnostics diags(messages);
  run(diags);
  const std::vector<const char *> &ids = diags.ids();
  EXPECT_TRUE(std::any_of(ids.begin(), ids.end(),
                          [](const char *id) { return GetParam() == id; }));
  std::string shown =
      replaceAll(messages.str(), folder.path.string() + "/", "");
  shown = replaceAll(shown, folder.path.string(), ".");
  EXPECT_EQ(shown, readFile(source / "expected.txt"));
}

std::vector<std::string> folders() {
  std::vector<std::string> names;
  for (const auto &entry : fs::directory_iterator(kErrors))
    if (entry.is_directory())
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, ErrorTest, testing::ValuesIn(folders()),
                         [](const auto &info) { return info.param; });

TEST(ErrorsTest, everyRowOfTheTableHasAFolder) {
  std::set<std::string> rows;
  for (const DiagRow &row : allDiags())
    rows.insert(row.id);
  std::vector<std::string> names = folders();
  EXPECT_EQ(rows, std::set<std::string>(names.begin(), names.end()));
}

} // namespace
} // namespace qwen
