// ctest -R unit/codegen_tuning - measured schedule files: read, merged, and
// what compiling takes of them.
#include "codegen/catalog/Tuned.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

const KernelCatalog &catalog() { return KernelCatalog::builtin(); }

TunedKernel sample(int64_t inner, double microseconds,
                   const std::string &machine = "here") {
  std::string error;
  TunedKernel kernel;
  kernel.symbol =
      *catalog().chooseSymbol("linear", {"q8g32", "q8g32"},
                              {{"k", inner}, {"n", 4864}, {"m", 128}, {"t", 0}},
                              "avx512", nullptr, error);
  for (const CatalogKnob &knob : catalog().kernel("linear")->knobs)
    kernel.knobs.push_back(knob.name);
  kernel.defaultPoint = kernel.symbol.point;
  kernel.symbol.point.front() = 2; // tokens
  kernel.microseconds = microseconds;
  kernel.defaultMicroseconds = 10;
  kernel.roofMicroseconds = 5;
  kernel.calls = 76;
  kernel.threads = {1, 2};
  kernel.machine = machine;
  kernel.version = catalog().spaceVersion("linear", "avx512");
  kernel.trials = {{kernel.defaultPoint, 10, false},
                   {kernel.symbol.point, microseconds, false},
                   {kernel.symbol.point, 0, true}};
  return kernel;
}

TunedFile fileOf(const std::vector<TunedKernel> &kernels) {
  TunedFile file;
  file.target = "avx512";
  for (const TunedKernel &kernel : kernels)
    file.put(kernel);
  return file;
}

TunedFile parsed(const TunedFile &file, const std::string &machine = "") {
  std::string error;
  const auto again = TunedFile::parse(file.str(), catalog(), error, machine);
  EXPECT_TRUE(again) << error;
  return again.value_or(TunedFile());
}

TEST(Tuned, ReadsBackWhatItPrints) {
  TunedFile file = fileOf({sample(896, 8), sample(1536, 9)});
  TunedModel model;
  model.choices = {.model = "d896",
                   .chunkBytes = 65536,
                   .prefillChunk = 256,
                   .attentionRows = std::nullopt,
                   .kvSplit = 2,
                   .barrierSpinUs = 0};
  model.machine = "here";
  model.prefillRatio = 1.25;
  model.trials = {{"prefill_chunk", 256, 1, 1.25, true}};
  file.put(model);
  const TunedFile again = parsed(file);
  EXPECT_EQ(again.str(), file.str());
  EXPECT_EQ(again.kernels.size(), 2U);
  EXPECT_TRUE(again.kernels[0].trials[2].failed);
  ASSERT_EQ(again.models.size(), 1U);
  EXPECT_FALSE(again.models[0].choices.attentionRows);
  EXPECT_EQ(again.models[0].choices.kvSplit, 2);
  EXPECT_EQ(again.models[0].choices.barrierSpinUs, 0);
  EXPECT_EQ(parsed(file, "there").models.size(), 0U);
}

TEST(Tuned, AnotherChunkOfTheSameLinearTakesThePoint) {
  std::string error;
  const auto file = ScheduleFile::parse(fileOf({sample(896, 8)}).str(),
                                        catalog(), error, "here");
  ASSERT_TRUE(file) << error;
  const auto tokens = [&](int64_t inner, int64_t rows) {
    return catalog()
        .chooseSymbol("linear", {"q8g32", "q8g32"},
                      {{"k", inner}, {"n", 4864}, {"m", rows}, {"t", 0}},
                      "avx512", &*file, error)
        ->point.front();
  };
  EXPECT_EQ(tokens(896, 128), 2);
  EXPECT_EQ(tokens(896, 64), 2);
  EXPECT_NE(tokens(1536, 128), 2);
}

TEST(Tuned, PutReplacesTheSameKernel) {
  TunedFile file = fileOf({sample(896, 8), sample(1536, 9), sample(896, 7)});
  ASSERT_EQ(file.kernels.size(), 2U);
  EXPECT_EQ(file.kernels[0].microseconds, 7);
}

TEST(Tuned, MergeTakesTheLargerGain) {
  TunedFile a = fileOf({sample(896, 8), sample(1536, 6)});
  const TunedFile b = fileOf({sample(896, 7), sample(1536, 9), sample(512, 9)});
  a.merge(b);
  ASSERT_EQ(a.kernels.size(), 3U);
  EXPECT_EQ(a.find(sample(896, 1).symbol)->microseconds, 7);
  EXPECT_EQ(a.find(sample(1536, 1).symbol)->microseconds, 6);
  EXPECT_EQ(a.find(sample(512, 1).symbol)->microseconds, 9);
}

TEST(Tuned, LeavesOutOtherVersionsAndMachines) {
  TunedKernel old = sample(896, 8);
  old.version = "halide1.0.0-0";
  const TunedFile file = fileOf({old, sample(1536, 9, "there")});
  EXPECT_EQ(parsed(file).kernels.size(), 1U);
  EXPECT_EQ(parsed(file).ignoredNote(), "1 entry of another version is "
                                        "ignored");
  EXPECT_EQ(parsed(file, "here").kernels.size(), 0U);
  EXPECT_EQ(parsed(file, "here").ignoredNote(),
            "1 entry of another version and 1 entry of another machine are "
            "ignored");
}

TEST(Tuned, AStaleEntryMayNameWhatNoLongerIs) {
  std::string error;
  const auto file = ScheduleFile::parse(
      R"({"target": "avx512", "points": [{"kernel": "gone", "dims": {}, "point":
      {"x": 1}, "measured": {"version": "halide1.0.0-0"}}]})",
      catalog(), error);
  ASSERT_TRUE(file) << error;
  EXPECT_EQ(file->stale, 1);
  EXPECT_TRUE(file->entries.empty());
}

TEST(Tuned, APointServesEveryContextAndEqualOptionsOnly) {
  std::string error;
  const std::vector<std::pair<std::string, int64_t>> dims = {
      {"k", 896}, {"n", 4864}, {"m", 128}, {"t", 0}};
  const auto file =
      ScheduleFile::parse(fileOf({sample(896, 8)}).str(), catalog(), error);
  ASSERT_TRUE(file) << error;
  const auto tokens = [&](const std::vector<std::string> &options) {
    return catalog()
        .chooseSymbol("linear", options, dims, "avx512", &*file, error)
        ->point.front();
  };
  EXPECT_EQ(tokens({"q8g32", "q8g32"}), 2);
  EXPECT_EQ(tokens({"q8g32", "q8g32", "bias"}), 8);
}

TEST(Tuned, NamesWhatIsWrong) {
  const std::string whole = fileOf({sample(896, 8)}).str();
  const auto broken = [&](const std::string &from, const std::string &to) {
    std::string text = whole, error;
    text.replace(text.find(from), from.size(), to);
    EXPECT_FALSE(TunedFile::parse(text, catalog(), error)) << to;
    return error;
  };
  EXPECT_EQ(broken("\"tokens\":2", "\"tokens\":3"),
            "points[0] sets knob `tokens` of kernel `linear` to 3; values: "
            "[1,2,4,8]");
  EXPECT_EQ(broken("\"tokens\":2", "\"speed\":2"),
            "points[0] names the unknown knob `speed` of kernel `linear`; "
            "knobs: tokens, panels, unroll, prefetch, sum_bits, tokens_outer");
  EXPECT_EQ(broken("\"us\":8.0", "\"us\":-8.0"),
            "points[0] has figures that do not fit its kernel");
  EXPECT_EQ(broken("\"points\"", "\"pionts\""),
            "a schedule file is an object with the list `points`");
  EXPECT_EQ(broken("{", "["), "not valid JSON");
}

TEST(Tuned, FileNamesAreOfPlainCharacters) {
  EXPECT_EQ(tunedFileName("avx512", "AMD EPYC(TM) 9B14  25.17"),
            "avx512-amd-epyc-tm-9b14-25-17.json");
  EXPECT_EQ(tunedFileName("avx2", "../../etc"), "avx2-etc.json");
}

TEST(Tuned, SpacesOfKernelsAndTargetsHaveVersionsOfTheirOwn) {
  const std::string version = catalog().spaceVersion("linear", "avx512");
  EXPECT_NE(version, "");
  EXPECT_NE(version, catalog().spaceVersion("linear", "avx2"));
  EXPECT_NE(version, catalog().spaceVersion("attention", "avx512"));
  EXPECT_EQ(catalog().spaceVersion("none", "avx512"), "");
  KernelCatalog other = catalog();
  other.kernels.front().knobs.push_back(other.kernel("linear")->knobs.front());
  EXPECT_NE(other.spaceVersion(other.kernels.front().name, "avx512"),
            catalog().spaceVersion(other.kernels.front().name, "avx512"));
}

} // namespace
} // namespace qwen
