// ctest -R unit/codegen_catalog - the catalog of this build: look-ups,
// arguments, points, schedule files, chunks.
#include "codegen/catalog/Catalog.h"
#include "codegen/catalog/CatalogJson.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace qwen {
namespace {

using Options = std::vector<std::string>;
using Dims = std::vector<std::pair<std::string, int64_t>>;

const KernelCatalog &catalog() { return KernelCatalog::builtin(); }

/// Without the shipped points, which are measured and change.
const KernelCatalog &unscheduled() {
  static const KernelCatalog copy = [] {
    KernelCatalog catalog = KernelCatalog::builtin();
    catalog.schedules = {};
    return catalog;
  }();
  return copy;
}

std::string argumentNames(std::string_view kernel, const Options &options) {
  std::string error, names;
  const auto arguments = catalog().arguments(kernel, options, error);
  if (!arguments)
    return error;
  for (const KernelArgument &argument : *arguments)
    names += argument.name + ":" + argument.type + " ";
  return names;
}

std::string chosen(const Options &options, const Dims &dims,
                   const std::string &target,
                   const ScheduleFile *overrides = nullptr,
                   const std::string &kernel = "linear") {
  std::string error;
  const auto symbol = unscheduled().chooseSymbol(kernel, options, dims, target,
                                                 overrides, error);
  return symbol ? symbol->str() : error;
}

TEST(Catalog, ReadsBackWhatItPrints) {
  std::string error;
  const auto again = KernelCatalog::parse(printCatalog(catalog()), error);
  ASSERT_TRUE(again) << error;
  EXPECT_EQ(printCatalog(*again), printCatalog(catalog()));
}

TEST(Catalog, RefusesBrokenText) {
  std::string error;
  for (const char *text : {"", "{", "[]", "{}", "{\"version\": 1}"})
    EXPECT_FALSE(KernelCatalog::parse(text, error)) << text;
}

TEST(Catalog, GivesArgumentsInCallingOrder) {
  EXPECT_EQ(argumentNames("linear", {"q8g32", "q8g32", "bias", "residual"}),
            "xq:i8 xs:f32 xsum:i16 W.q:u8 W.s:f16 bias:f32 residual:f32 T:i32 "
            "y:f32 ");
  EXPECT_EQ(
      argumentNames("linear_rope_append", {"f32", "f32", "f16", "norm"}),
      "x:f32 W.w:f32 w:f32 rope:f32 T:i32 position:i32 eps:f32 keys:f16 ");
  EXPECT_EQ(argumentNames("quantize", {}),
            "x:f32 T:i32 xq:i8 xs:f32 xsum:i16 ");
  EXPECT_EQ(argumentNames("argmax", {}), "logits:f32 T:i32 y:i32 ");
}

TEST(Catalog, NamesTheOptionThatIsWrong) {
  EXPECT_NE(argumentNames("linear", {"q8g32"}).find("needs option `act`"),
            std::string::npos);
  EXPECT_NE(argumentNames("linear", {"q8g32", "f32", "norm"})
                .find("takes no option `norm`"),
            std::string::npos);
  EXPECT_NE(argumentNames("conv", {}).find("no kernel `conv`"),
            std::string::npos);
}

TEST(Catalog, PlaneSizesAreTheFormatTables) {
  const CatalogFormat *q4k = catalog().format("q4k");
  ASSERT_TRUE(q4k);
  // 144 bytes a super-block of 256 in the file; 16 in c and m are u8 where the
  // file packs 6 bits.
  EXPECT_EQ(q4k->bytes(16, 256), 16 * (128 + 8 + 8 + 2 + 2));
  EXPECT_EQ(catalog().format("q8g32")->bytes(17, 64),
            2 * (512 + 32) * 2); // rows go up to whole panels
  EXPECT_EQ(catalog().format("q8g32s")->coarseBytes(17, 128),
            2 * (256 + 32) * 4);
  // Planes q, c and m are one stream, d and e another.
  const CatalogPlane &m = q4k->planes[2], &e = q4k->planes[4];
  EXPECT_EQ(m.name, "m");
  EXPECT_EQ(m.startBytes, 256 + 16);
  EXPECT_EQ(m.pitchBytes, 256 + 16 + 16);
  EXPECT_EQ(m.streamBytes(17, 512), 2 * 16 * 288);
  EXPECT_EQ(e.name, "e");
  EXPECT_EQ(e.startBytes, 32);
  EXPECT_EQ(e.streamBytes(17, 512), 2 * 2 * 64);
}

TEST(Catalog, DefaultPointsFitTheRegisters) {
  for (const CatalogTarget &target : catalog().targets)
    for (const CatalogFormat &format : catalog().formats)
      for (const std::string &act : format.activations)
        for (int64_t t : {0, 1}) {
          std::string error;
          const auto symbol = unscheduled().chooseSymbol(
              "linear", {format.name, act},
              {{"k", 256}, {"n", 512}, {"m", 256}, {"t", t}}, target.name,
              nullptr, error);
          ASSERT_TRUE(symbol) << error;
          const int64_t accumulators = symbol->point[0] * symbol->point[1];
          if (t == 0 && act == "q8g32" && !target.quadDots)
            EXPECT_LE(accumulators, kAccumulatorsInMemory) << symbol->str();
          else
            EXPECT_LE(accumulators * 16 / target.lanes,
                      target.registers * 3 / 4)
                << symbol->str();
        }
}

TEST(Catalog, OneTokenHasNoTokenTile) {
  std::string error;
  const auto symbol = catalog().chooseSymbol(
      "linear", {"q8g32", "q8g32"}, {{"k", 64}, {"n", 48}, {"m", 48}, {"t", 1}},
      "avx512", nullptr, error);
  ASSERT_TRUE(symbol) << error;
  EXPECT_EQ(symbol->point[0], 1);
  EXPECT_EQ(48 / 16 % symbol->point[1], 0);
}

TEST(Catalog, DefaultsOfOneTokenFollowTheArithmetic) {
  const Dims dims = {{"k", 64}, {"n", 256}, {"m", 256}, {"t", 1}};
  EXPECT_EQ(chosen({"q8g32", "q8g32"}, dims, "avx512"),
            "qk_linear__q8g32_q8g32__k64_n256_m256_t1__avx512_p1x1x1x4x32x0");
  EXPECT_EQ(chosen({"q8g32", "f32"}, dims, "avx512"),
            "qk_linear__q8g32_f32__k64_n256_m256_t1__avx512_p1x4x1x0x32x0");
}

TEST(Catalog, DefaultsOfOneTokenFollowTheTarget) {
  const Dims dims = {{"k", 512}, {"n", 256}, {"m", 256}, {"t", 1}},
             heads = {{"k", 512}, {"n", 256}, {"m", 128}, {"c", 128}, {"t", 1}};
  const auto point = [&](const char *format, const char *target,
                         const char *kernel = "linear") {
    const std::string symbol =
        chosen({format, "q8g32"},
               kernel == std::string_view("linear_rope") ? heads : dims, target,
               nullptr, kernel);
    return symbol.substr(symbol.rfind("_p") + 2);
  };
  for (const char *format : {"q4g32", "q5g32", "q4k", "q5k", "q6k"}) {
    EXPECT_EQ(point(format, "avx2"), "1x1x1x0x16x0") << format;
    EXPECT_EQ(point(format, "x86_64"), "1x1x2x8x16x0") << format;
    EXPECT_EQ(point(format, "avx512"), "1x1x1x4x32x0") << format;
    EXPECT_EQ(point(format, "avxvnni"), "1x1x1x4x32x0") << format;
  }
  EXPECT_EQ(point("q4g32", "avx2", "linear_swiglu"), "1x1x1x0x16x0");
  EXPECT_EQ(point("q4g32", "avx2", "linear_rope"), "1x1x1x0x16x0");
  EXPECT_EQ(point("q8g32s", "avx2", "linear_coarse"), "1x1x1x0x16");
  EXPECT_EQ(point("q8g32", "avx2"), "1x1x1x0x16x0");
  EXPECT_EQ(point("q8g32s", "avx2"), "1x1x1x0x16x0");
}

// A word that holds nowhere would be a default that nobody gets.
TEST(Catalog, WordsOfDefaultsAreFactsOfSomeSymbol) {
  // Kernels share knobs, and not all have each option.
  std::set<std::string> facts = {"sum_bits=16", "sum_bits=32"};
  for (const CatalogTarget &target : catalog().targets)
    facts.insert("lanes=" + std::to_string(target.lanes));
  for (const CatalogKernel &kernel : catalog().kernels)
    for (const CatalogOption &option : kernel.options)
      for (const std::string &value : option.values)
        facts.insert(option.name + "=" + value);
  int64_t words = 0;
  for (const CatalogKernel &kernel : catalog().kernels)
    for (const CatalogKnob &knob : kernel.knobs)
      for (const auto &[condition, value] : knob.oneWith) {
        EXPECT_TRUE(std::count(knob.values.begin(), knob.values.end(), value))
            << kernel.name << " " << knob.name << " " << value;
        std::istringstream list(condition);
        for (std::string word; list >> word; ++words)
          EXPECT_TRUE(facts.count(word)) << kernel.name << " " << condition;
      }
  EXPECT_GT(words, 0);
}

TEST(Catalog, SumsOf16BitsAreForIntegersWithoutAnInstructionForQuads) {
  const Dims dims = {{"k", 512}, {"n", 64}, {"m", 64}, {"t", 1}};
  const auto problem = [&](const std::string &format, const std::string &act,
                           const std::string &target) {
    return catalog().check(
        {"linear", {format, act}, dims, target, {1, 1, 1, 0, 16, 0}});
  };
  for (const char *format :
       {"q4g32", "q4k", "q5g32", "q5k", "q6k", "q8g32", "q8g32s"}) {
    EXPECT_FALSE(problem(format, "q8g32", "avx2")) << format;
    EXPECT_TRUE(problem(format, "f32", "avx2")) << format;
    EXPECT_TRUE(problem(format, "q8g32", "avx512")) << format;
  }
  EXPECT_EQ(problem("q8g32", "q8g32", "avx512"),
            "knob `sum_bits` of kernel `linear` cannot be 16 here; values: 16, "
            "32");
  EXPECT_FALSE(catalog().check(
      {"linear_coarse", {"q8g32s", "q8g32"}, dims, "avx2", {1, 1, 1, 0, 16}}));
  EXPECT_TRUE(chosen({"q4g32", "q8g32"}, dims, "avx2").ends_with("x16x0"));
  EXPECT_TRUE(chosen({"q4g32", "q8g32"}, dims, "avx512").ends_with("x32x0"));
}

TEST(Catalog, ManyTokensDoNotPrefetch) {
  const Dims one = {{"k", 64}, {"n", 64}, {"m", 64}, {"t", 1}},
             many = {{"k", 64}, {"n", 64}, {"m", 64}, {"t", 0}};
  const Options options = {"q8g32", "q8g32"};
  EXPECT_FALSE(
      catalog().check({"linear", options, one, "avx2", {1, 1, 1, 8, 32, 0}}));
  EXPECT_EQ(
      catalog().check({"linear", options, many, "avx2", {1, 1, 1, 8, 32, 0}}),
      "knob `prefetch` of kernel `linear` cannot be 8 here; values: 0, "
      "4, 8, 16");
}

TEST(Catalog, LoopsHaveAnOrderWhereThereAreTwo) {
  const Options options = {"q8g32", "q8g32"};
  const auto check = [&](int64_t rows, int64_t t) {
    return catalog().check({"linear",
                            options,
                            {{"k", 64}, {"n", rows}, {"m", rows}, {"t", t}},
                            "avx512",
                            {1, 1, 1, 0, 32, 1}});
  };
  EXPECT_FALSE(check(32, 0));
  for (const auto &[rows, t] : {std::pair{32, 1}, {16, 0}})
    EXPECT_EQ(check(rows, t), "knob `tokens_outer` of kernel `linear` cannot "
                              "be 1 here; values: 0, 1");
}

TEST(Catalog, FewTokensDecodeWeightsForEachTile) {
  using Point = std::vector<int64_t>;
  const auto few = [](const std::string &kernel, const Options &options,
                      const Dims &dims) {
    std::string error;
    const auto symbol =
        catalog().chooseSymbol(kernel, options, dims, "avx512", nullptr, error);
    EXPECT_TRUE(symbol) << error;
    const auto found = catalog().fewTokens(*symbol);
    return found ? found->point : Point();
  };
  const auto dims = [](int64_t rows, int64_t t) {
    return Dims{{"k", 64}, {"n", rows}, {"m", rows}, {"t", t}};
  };
  const Options integers = {"q8g32", "q8g32"}, floats = {"q8g32", "f32"};
  for (const std::string kernel : {"linear", "linear_swiglu"}) {
    EXPECT_EQ(few(kernel, integers, dims(64, 0)), Point({4, 1, 1, 16, 32, 1}));
    EXPECT_EQ(few(kernel, integers, dims(64, 1)), Point()) << "one token";
    EXPECT_EQ(few(kernel, floats, dims(64, 0)), Point())
        << "nothing is unpacked";
    EXPECT_EQ(few(kernel, integers, dims(16, 0)), Point()) << "one panel";
  }
  EXPECT_EQ(few("linear_append", {"q8g32", "q8g32", "f16"},
                {{"k", 64}, {"m", 64}, {"c", 32}, {"s", 64}, {"t", 0}}),
            Point())
      << "no such loops";
}

TEST(Catalog, RefusesIllegalSymbolsWithTheNumbers) {
  const struct {
    Options options;
    Dims dims;
    const char *part;
  } rows[] = {
      {{"q8g32", "q8g32"},
       {{"k", 100}, {"n", 64}, {"m", 64}, {"t", 1}},
       "dim `k` of kernel `linear` is 100; format"},
      {{"f32", "q8g32"},
       {{"k", 64}, {"n", 64}, {"m", 64}, {"t", 1}},
       "format `f32` takes activations f32"},
      {{"f32", "f32"},
       {{"k", 64}, {"n", 64}, {"m", 48}, {"t", 1}},
       "is 48, which does not divide 64"},
      {{"f32", "f32"},
       {{"k", 64}, {"n", 64}, {"m", 24}, {"t", 1}},
       "is 24, not a multiple of 16"},
      {{"f32", "f32"},
       {{"k", 64}, {"n", 64}, {"m", 64}, {"t", 2}},
       "dim `t` of kernel `linear` is 2"},
      {{"f32", "f32"},
       {{"k", 64}, {"m", 64}, {"t", 1}},
       "are k, n, m, t, and got k, m, t"},
  };
  for (const auto &row : rows)
    EXPECT_NE(chosen(row.options, row.dims, "avx2").find(row.part),
              std::string::npos)
        << chosen(row.options, row.dims, "avx2");
  EXPECT_NE(chosen({"f32", "f32"}, {}, "arm").find("no target `arm`"),
            std::string::npos);
}

TEST(ScheduleFile, LaterEntriesWinKnobByKnob) {
  std::string error;
  const auto file = ScheduleFile::parse(R"({"points": [
    {"kernel": "linear", "point": {"panels": 1, "unroll": 2}},
    {"kernel": "linear", "options": ["q8g32"], "dims": {"k": 64}, "point": {"panels": 4}},
    {"kernel": "linear", "options": ["bias"], "point": {"panels": 2}},
    {"kernel": "linear", "target": "avx2", "point": {"panels": 2}}]})",
                                        catalog(), error);
  ASSERT_TRUE(file) << error;
  EXPECT_EQ(chosen({"q8g32", "q8g32"},
                   {{"k", 64}, {"n", 64}, {"m", 64}, {"t", 1}}, "avx512",
                   &*file),
            "qk_linear__q8g32_q8g32__k64_n64_m64_t1__avx512_p1x4x2x4x32x0");
  EXPECT_EQ(chosen({"q8g32", "q8g32"},
                   {{"k", 32}, {"n", 64}, {"m", 64}, {"t", 1}}, "avx512",
                   &*file),
            "qk_linear__q8g32_q8g32__k32_n64_m64_t1__avx512_p1x1x2x4x32x0");
}

TEST(ScheduleFile, ATargetsOwnPointsWinOverThoseItBorrows) {
  std::string error;
  const auto file = ScheduleFile::parse(R"({"points": [
    {"kernel": "linear", "target": "avx512vnni", "point": {"panels": 4}},
    {"kernel": "linear", "target": "avx512", "point": {"panels": 2, "unroll": 4}}]})",
                                        catalog(), error);
  ASSERT_TRUE(file) << error;
  const Dims dims = {{"k", 128}, {"n", 64}, {"m", 64}, {"t", 1}};
  for (const auto &[target, point] : {std::pair("avx512", "1x2x4x4x32x0"),
                                      {"avx512vnni", "1x4x4x4x32x0"},
                                      {"avxvnni", "1x1x1x4x32x0"}})
    EXPECT_EQ(chosen({"q8g32", "q8g32"}, dims, target, &*file),
              "qk_linear__q8g32_q8g32__k128_n64_m64_t1__" +
                  std::string(target) + "_p" + point);
}

TEST(ScheduleFile, AnOptionCountsAsOftenAsItIsThere) {
  std::string error;
  const auto file = ScheduleFile::parse(
      R"({"points": [{"kernel": "linear", "options": ["q8g32", "q8g32"],
                      "point": {"unroll": 4}}]})",
      catalog(), error);
  ASSERT_TRUE(file) << error;
  const Dims dims = {{"k", 64}, {"n", 64}, {"m", 64}, {"t", 1}};
  EXPECT_EQ(chosen({"q8g32", "q8g32"}, dims, "avx512", &*file),
            "qk_linear__q8g32_q8g32__k64_n64_m64_t1__avx512_p1x1x4x4x32x0");
  EXPECT_EQ(chosen({"q8g32", "f32"}, dims, "avx512", &*file),
            "qk_linear__q8g32_f32__k64_n64_m64_t1__avx512_p1x4x1x0x32x0");
}

TEST(ScheduleFile, AValueThatTheDimsForbidFallsToTheNextSmaller) {
  std::string error;
  const auto file = ScheduleFile::parse(
      R"({"points": [{"kernel": "linear", "point": {"panels": 4}}]})",
      catalog(), error);
  ASSERT_TRUE(file) << error;
  EXPECT_EQ(chosen({"f32", "f32"}, {{"k", 64}, {"n", 96}, {"m", 96}, {"t", 1}},
                   "avx512", &*file),
            "qk_linear__f32_f32__k64_n96_m96_t1__avx512_p1x2x1x0x32x0");
}

TEST(ScheduleFile, NamesWhatIsWrong) {
  const struct {
    const char *text, *error;
  } rows[] = {
      {"{", "not valid JSON"},
      {"[]", "a schedule file is an object with the list `points`"},
      {R"({"points": [], "extra": 1})",
       "unknown key `extra`; keys: target, points, models"},
      {R"({"target": "arm", "points": []})",
       "unknown target \"arm\"; targets: avx512, avx512vnni, avxvnni, avx2, "
       "x86_64"},
      {R"({"points": [1]})", "points[0] is not an object"},
      {R"({"points": [{"point": {}}]})", "points[0] needs `kernel`"},
      {R"({"points": [{"kernel": "linear"}]})",
       "points[0] needs `point`, an object of knobs and values"},
      {R"({"points": [{"kernel": "linear", "point": {"tile": 1}}]})",
       "points[0] names the unknown knob `tile` of kernel `linear`; "
       "knobs: tokens, panels, unroll, prefetch, sum_bits, tokens_outer"},
      {R"({"points": [{"kernel": "linear", "point": {"panels": 3}}]})",
       "points[0] sets knob `panels` of kernel `linear` to 3; values: "
       "[1,2,4,8]"},
      {R"({"points": [{"kernel": "linear", "options": ["q3"], "point": {}}]})",
       "points[0] names the unknown option \"q3\" of kernel `linear`; "
       "options: bf16, f16, f32, q4g32, q4k, q5g32, q5k, q6k, q8g32, q8g32s, "
       "f32, q8g32, bias, residual"},
      {R"({"points": [{"kernel": "linear", "point":
          {"tokens": 8, "panels": 8}}]})",
       "points[0] gives kernel `linear` 64 accumulators a tile; at most 32"},
      {R"({"points": [], "models": {}})", "`models` is no list"},
      {R"({"points": [], "models": [{}]})", "models[0] needs `model`"},
      {R"({"points": [], "models": [{"model": "d", "spin": 1}]})",
       "models[0] has the unknown key `spin`; keys: model, chunk_bytes, "
       "prefill_chunk, attention_rows, kv_split, barrier_spin_us"},
      {R"({"points": [], "models": [{"model": "d", "kv_split": 3}]})",
       "models[0] sets `kv_split` to 3; it is 0 to 2"},
      {R"({"points": [], "models": [{"model": "d", "barrier_spin_us": -1}]})",
       "models[0] sets `barrier_spin_us` to -1; it is 0 to 1000000"},
      {R"({"points": [{"kernel": "linear", "dims": {"z": 1}, "point": {}}]})",
       "points[0] names the unknown dim `z` of kernel `linear`; dims: "
       "[\"k\",\"n\",\"m\",\"t\"]"},
      {R"({"points": [{"kernel": "linear", "dims": {"k": "x"}, "point": {}}]})",
       "points[0] has dim `k` that is no integer"},
  };
  for (const auto &row : rows) {
    std::string error;
    EXPECT_FALSE(ScheduleFile::parse(row.text, catalog(), error)) << row.text;
    EXPECT_EQ(error, row.error);
  }
}

TEST(ChunkRows, DividesAndKeepsHeadsWhole) {
  for (const CatalogFormat &format : catalog().formats)
    for (int64_t rows : {16, 130, 896, 1152, 4864, 18944, 151936, 152064})
      for (int64_t multiple : {1, 32, 64, 128}) {
        if (multiple > 1 && rows % multiple)
          continue;
        const int64_t chunk = chunkRows(format, rows, 1024, multiple, 1);
        EXPECT_EQ((rows + 15) / 16 * 16 % chunk, 0);
        EXPECT_EQ(chunk % 16, 0);
        EXPECT_EQ(chunk % multiple, 0);
      }
}

TEST(ChunkRows, GivesChunksToATeamWithoutMakingThemTiny) {
  const CatalogFormat &format = *catalog().format("q8g32");
  const int64_t head = chunkRows(format, 151936, 896, 1, 1),
                ffn = chunkRows(format, 4864, 896, 1, 2);
  EXPECT_GE(format.bytes(head, 896), kChunkBytes / 2);
  EXPECT_LE(format.bytes(head, 896), kChunkBytes * 2);
  EXPECT_GE(2 * format.bytes(ffn, 896), kChunkBytes / 2);
  EXPECT_LE(2 * format.bytes(ffn, 896), kChunkBytes * 2);
  EXPECT_GE(896 / chunkRows(format, 896, 896, 1, 1), 8);
}

TEST(Host, BaselineRunsOnEveryX86) {
  const CatalogTarget *host = catalog().host();
  ASSERT_TRUE(host);
  for (const std::string &feature : host->features)
    EXPECT_TRUE(cpuHasFeature(feature));
  EXPECT_FALSE(cpuHasFeature("no such feature"));
}

} // namespace
} // namespace qwen
