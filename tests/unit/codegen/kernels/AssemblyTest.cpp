// ctest -R unit/codegen_kernels - kernels use the instructions they are
// designed for, and call nothing.
//
// A slower instruction gives the same numbers, so only the assembly tells.
#include "codegen/kernels/Kernel.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <unistd.h>

namespace qwen::codegen {
namespace {

std::string assembly(const std::string &text) {
  const std::optional<KernelSymbol> symbol = KernelSymbol::parse(text);
  if (!symbol)
    return "";
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() /
      ("qwen-assembly-test-" + std::to_string(getpid()));
  try {
    writeKernel(*symbol, {{Halide::OutputFileType::assembly, file.string()}});
  } catch (const KernelError &error) {
    ADD_FAILURE() << text << ": " << error.text;
  } catch (const Halide::Error &error) {
    ADD_FAILURE() << text << ": " << error.what();
  }
  std::ostringstream all;
  all << std::ifstream(file).rdbuf();
  std::filesystem::remove(file);
  return all.str();
}

int64_t count(const std::string &text, const std::string &instruction) {
  int64_t found = 0;
  for (size_t at = 0;
       (at = text.find("\t" + instruction, at)) != std::string::npos; ++at)
    ++found;
  return found;
}

/// Functions that the code calls or jumps to, other than memcpy's kind.
std::string calls(const std::string &text) {
  static const std::regex pattern(
      R"(\t(?:call|jmp)q?\t\*?([A-Za-z_][\w@.]*|%\w+))");
  std::string names;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end;
       match != end; ++match) {
    const std::string name = (*match)[1];
    if (name.rfind("mem", 0) != 0)
      names += name + " ";
  }
  return names;
}

std::vector<std::string> integerFormats() {
  std::vector<std::string> names;
  for (const Format &format : formats())
    if (format.quant)
      names.push_back(format.name);
  return names;
}

TEST(Assembly, Avx512IntegerDotsAreVpdpbusd) {
  for (const std::string &format : integerFormats())
    for (const char *rest :
         {"t1__avx512_p1x2x1x0x32x0", "t0__avx512_p4x2x1x0x32x0",
          "t0__avx512_p4x2x1x0x32x1"}) {
      const std::string symbol =
          "qk_linear__" + format + "_q8g32__k512_n64_m64_" + rest;
      const std::string text = assembly(symbol);
      EXPECT_GE(count(text, "vpdpbusd"), 16) << symbol;
      // One may prepare the starts of a tile's dots.
      EXPECT_LE(count(text, "vpmaddwd"), 1) << symbol;
      EXPECT_EQ(count(text, "vpmulld"), 0) << symbol;
    }
}

TEST(Assembly, DotsOfManyTokensAreConvertedByTheirStarts) {
  for (const char *symbol :
       {"qk_linear__q5g32_q8g32__k512_n64_m64_t0__avx512_p8x2x1x0x32x0",
        "qk_linear__q8g32_q8g32__k512_n64_m64_t0__avxvnni_p4x1x1x0x32x0",
        "qk_linear__q5g32_q8g32__k512_n64_m64_t0__avx2_p4x1x1x0x16x0",
        "qk_linear_swiglu__q5g32_q8g32__k512_n64_m64_t0__avx512_p8x2x1x0x32x0"})
    EXPECT_EQ(count(assembly(symbol), "vcvtdq2ps"), 0) << symbol;
}

TEST(Assembly, Int8AttentionIsVpdpbusdForOneTokenAndMany) {
  // Keys, and both halves of codes times values: 7 heads by 2 vectors each.
  for (const char *tokens : {"t0", "t1"}) {
    const std::string symbol = "qk_attention__int8__h14_r7_c64_s1024_" +
                               std::string(tokens) + "__avx512_p7x2x0";
    const std::string text = assembly(symbol);
    EXPECT_GE(count(text, "vpdpbusd"), 3 * 7 * 2) << symbol;
    EXPECT_EQ(count(text, "vpmulld"), 0) << symbol;
    EXPECT_EQ(count(text, "imull"), 0) << symbol;
  }
}

TEST(Assembly, Int8AttentionAddsPairsWhereNothingAddsFour) {
  // The same by pairs, which take two registers of 8 sums for 8 positions.
  for (const char *rest : {"t0__avx2_p7x1x0", "t1__avx2_p7x1x0"}) {
    const std::string symbol =
        "qk_attention__int8__h14_r7_c64_s1024_" + std::string(rest);
    const std::string text = assembly(symbol);
    EXPECT_GE(count(text, "vpmaddwd"), 3 * 7 * 2 * 2) << symbol;
    EXPECT_EQ(count(text, "vpmulld"), 0) << symbol;
  }
}

TEST(Assembly, Int16AttentionAddsPairsOfWords) {
  // Keys, and codes times values: 7 heads by a vector each, of 16, 8 or 4 sums.
  for (const auto &[target, instruction, registers] :
       {std::tuple("avx512", "vpdpwssd", 1),
        {"avx2", "vpmaddwd", 2},
        {"x86_64", "pmaddwd", 4}})
    for (const char *tokens : {"t0", "t1"}) {
      const std::string symbol = "qk_attention__int16__h14_r7_c64_s1024_" +
                                 std::string(tokens) + "__" + target +
                                 "_p7x1x0";
      const std::string text = assembly(symbol);
      EXPECT_GE(count(text, instruction), 2 * 7 * registers) << symbol;
      EXPECT_EQ(count(text, "pmulld"), 0) << symbol;
      EXPECT_EQ(count(text, "imull"), 0) << symbol;
    }
}

TEST(Assembly, AvxVnniDotsAreVpdpbusdOfHalfTheWidth) {
  // For 32 of K: 8 quads of 16 rows in two registers, by 1 token and by 4.
  for (const std::string &format : integerFormats())
    for (const auto &[rest, dots] : {std::pair("t1__avxvnni_p1x1x1x0x32x0", 16),
                                     {"t0__avxvnni_p4x1x1x0x32x1", 64}}) {
      const std::string symbol =
          "qk_linear__" + format + "_q8g32__k512_n64_m64_" + rest;
      const std::string text = assembly(symbol);
      EXPECT_GE(count(text, "vpdpbusd"), dots) << symbol;
      EXPECT_EQ(count(text, "vpmaddubsw"), 0) << symbol;
      EXPECT_EQ(text.find("zmm"), std::string::npos) << symbol;
    }
  for (const char *cache : {"int16", "int8"}) {
    const std::string symbol = "qk_attention__" + std::string(cache) +
                               "__h14_r7_c64_s1024_t1__avxvnni_p7x1x0";
    const std::string text = assembly(symbol);
    EXPECT_GE(count(text, "vpdp"), 2 * 7 * 2) << symbol;
    EXPECT_EQ(text.find("zmm"), std::string::npos) << symbol;
  }
}

TEST(Assembly, TargetsUseTheirOwnFeaturesAlone) {
  // Bytes are shifted by GFNI where there is some.
  const std::string symbol = "qk_linear__q5g32_q8g32__k512_n64_m64_t1__";
  EXPECT_GE(count(assembly(symbol + "avx512_p1x1x1x0x32x0"), "vgf2p8"), 8);
  for (const char *target : {"avx512vnni", "avxvnni"})
    EXPECT_EQ(count(assembly(symbol + target + "_p1x1x1x0x32x0"), "vgf2p8"), 0)
        << target;
}

TEST(Assembly, Avx2IntegerDotsAddPairs) {
  for (const Format &format : formats()) {
    if (!format.quant)
      continue;
    const std::string symbol = "qk_linear__" + std::string(format.name) +
                               "_q8g32__k512_n64_m64_t1__avx2_p1x2x1x0";
    const std::string wide = assembly(symbol + "x32x0");
    EXPECT_GE(count(wide, "vpmaddwd"), 16) << symbol;
    EXPECT_EQ(count(wide, "vpmulld"), 0) << symbol;
    EXPECT_EQ(count(wide, "vpmaddubsw"), 0) << symbol;
    const std::string narrow = assembly(symbol + "x16x0");
    EXPECT_GE(count(narrow, "vpmaddubsw"), 16) << symbol;
    EXPECT_EQ(count(narrow, "vpmulld"), 0) << symbol;
  }
}

TEST(Assembly, PrefetchesFillEveryLevelOfCache) {
  for (const std::string &format : integerFormats())
    for (const char *target : {"avx512", "avx2"}) {
      const std::string symbol = "qk_linear__" + format +
                                 "_q8g32__k512_n64_m64_t1__" + target +
                                 "_p1x1x2x8x32x0";
      const std::string text = assembly(symbol);
      // Of the first stream, for the two blocks of an iteration.
      const int64_t lines =
          2 * blockPlace(*findFormat(format), 0).pitchBytes / 64;
      EXPECT_GE(count(text, "prefetcht1"), lines) << symbol;
      EXPECT_EQ(count(text, "prefetchnta"), 0) << symbol;
      EXPECT_EQ(count(assembly(std::regex_replace(symbol, std::regex("x8x32"),
                                                  "x0x32")),
                      "prefetch"),
                0)
          << symbol;
    }
}

TEST(Assembly, AttentionAsksForLaterBlocksOfKeysAndValues) {
  // Both loops over blocks, or all planes of integers; by lines, of which a row
  // of 64 f16 has two.
  for (const auto &[cache, lines] :
       {std::pair("f16", 4), {"int16", 4 + 4}, {"int8", 2 + 4 + 4}}) {
    const std::string symbol = "qk_attention__" + std::string(cache) +
                               "__h14_r7_c64_s1024_t1__avx512_";
    EXPECT_GE(count(assembly(symbol + "p7x4x1"), "prefetcht1"), lines)
        << symbol;
    EXPECT_EQ(count(assembly(symbol + "p7x4x0"), "prefetch"), 0) << symbol;
  }
}

TEST(Assembly, FloatTilesAreVectorFmaWithoutScalarOnes) {
  const char *swiglu =
      "qk_linear_swiglu__q8g32_q8g32__k512_n64_m64_t0__avx512_p4x2x1x0x32x0";
  for (const char *symbol :
       {"qk_linear__f32_f32__k512_n64_m64_t0__avx512_p8x2x1x0x32x0",
        "qk_linear__bf16_f32__k512_n64_m64_t0__avx512_p8x2x1x0x32x0",
        "qk_linear__f16_f32__k512_n64_m64_t1__avx512_p1x2x1x0x32x0",
        "qk_linear__f32_f32__k512_n64_m64_t0__avx2_p4x1x1x0x32x0",
        "qk_attention__f32__h14_r7_c64_s1024_t1__avx512_p7x1x0",
        "qk_attention__f16__h14_r7_c64_s1024_t0__avx2_p7x1x0",
        "qk_attention__int16__h14_r7_c64_s1024_t0__avx2_p7x1x0",
        "qk_attention__int8__h14_r7_c64_s1024_t0__avx2_p7x1x0",
        "qk_swiglu__plain__k512_t1__avx512_p", swiglu}) {
    const std::string text = assembly(symbol);
    int64_t vector = 0, scalar = 0;
    for (const char *kind : {"132", "213", "231"})
      for (const char *sign : {"vfmadd", "vfnmadd"}) {
        vector += count(text, std::string(sign) + kind + "ps");
        scalar += count(text, std::string(sign) + kind + "ss");
      }
    EXPECT_GE(vector, 2) << symbol;
    EXPECT_EQ(scalar, 0) << symbol;
  }
}

TEST(Assembly, StrictSumsAreNotContracted) {
  // RoPE rounds each product, as HF does; a fused multiply-add would not.
  EXPECT_EQ(count(assembly("qk_rope__plain__h2_c64_t1__avx512_p"), "vfm"), 0);
}

TEST(Assembly, KernelsCallNothing) {
  const KernelCatalog catalog = makeCatalog();
  for (const Kernel &kernel : kernels())
    for (const CpuTarget &target : targets())
      for (int64_t tokens : {0, 1}) {
        if (!target.data.pointsOf.empty())
          continue; // the loops of another target
        std::vector<std::string> options;
        for (const CatalogOption &option : kernel.interface.options)
          if (!option.flag)
            options.push_back(option.name == "format" &&
                                      option.values.size() > 1
                                  ? "q8g32"
                                  : option.values.back());
        std::vector<std::pair<std::string, int64_t>> dims =
            kernel.cases.back().dims;
        dims.emplace_back("t", tokens);
        std::string error;
        const auto symbol =
            catalog.chooseSymbol(kernel.interface.name, options, dims,
                                 target.data.name, nullptr, error);
        ASSERT_TRUE(symbol) << error;
        EXPECT_EQ(calls(assembly(symbol->str())), "") << symbol->str();
      }
}

} // namespace
} // namespace qwen::codegen
