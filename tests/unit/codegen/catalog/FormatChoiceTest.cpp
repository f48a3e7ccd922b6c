// ctest -R unit/codegen_catalog - `--format` and its pieces.
#include "codegen/catalog/FormatChoice.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

std::optional<FormatChoice> parse(std::string_view text, std::string &error) {
  return FormatChoice::parse(text, KernelCatalog::builtin(), error);
}

std::string formatOf(std::string_view text, std::string_view name) {
  std::string error;
  const auto choice = parse(text, error);
  return choice ? choice->of(name) : error;
}

std::string errorOf(std::string_view text) {
  std::string error = "none";
  EXPECT_FALSE(parse(text, error)) << text;
  return error;
}

TEST(FormatChoice, TheLastPieceThatFitsCounts) {
  EXPECT_EQ(formatOf("stored", "lm_head.weight"), "stored");
  EXPECT_EQ(formatOf("q4g32+lm_head=q8g32", "lm_head.weight"), "q8g32");
  EXPECT_EQ(formatOf("q4g32+lm_head=q8g32", "model.norm"), "q4g32");
  const char *twice = "q4g32+mlp=q5g32+layers.1.mlp=stored";
  EXPECT_EQ(formatOf(twice, "layers.0.mlp.up_proj"), "q5g32");
  EXPECT_EQ(formatOf(twice, "layers.1.mlp.up_proj"), "stored");
}

TEST(FormatChoice, TellsThePartThatIsWrong) {
  EXPECT_EQ(errorOf("q3").substr(0, 34), "is `q3`; formats are stored, bf16,");
  EXPECT_EQ(errorOf("").substr(0, 19), "is ``; formats are ");
  EXPECT_EQ(errorOf("q8g32+head=q3").substr(0, 9), "is `q3`; ");
  EXPECT_EQ(errorOf("q8g32+head=").substr(0, 7), "is ``; ");
  for (const char *part : {"lm_head", "=q5g32", ""})
    EXPECT_EQ(errorOf(std::string("q8g32+") + part),
              "has `" + std::string(part) +
                  "` after a `+`; it takes +PIECE=FORMAT there");
}

} // namespace
} // namespace qwen
