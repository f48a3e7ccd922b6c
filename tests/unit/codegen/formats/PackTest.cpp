// build/bin/unit_codegen_pack
//
// PackTest.cpp - requests become planes at the right places, and bad ones
// become one message.
#include "tools/qwenc-kernel/Pack.h"
#include "tests/unit/codegen/formats/PackedWeight.h"
#include "tools/qwenc-kernel/PackRequest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <limits>
#include <unistd.h>

namespace qwen {
namespace {

using codegen::Format;
using codegen::Plane;
using nlohmann::json;

constexpr int64_t kSection = 4096;

/// A folder of its own with a source file, an output file and a request.
class Pack : public testing::Test {
protected:
  void SetUp() override {
    folder = testing::TempDir() + "pack_" + std::to_string(::getpid());
    std::filesystem::create_directories(folder);
    write("out", std::vector<uint8_t>(size_t(kSection), 0xee));
    request = {{"output", folder + "/out"},
               {"sectionOffset", kSection},
               {"jobs", 2},
               {"tensors", json::array()}};
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  template <typename T>
  void write(const std::string &name, const std::vector<T> &data) {
    std::ofstream(folder + "/" + name, std::ios::binary)
        .write(reinterpret_cast<const char *>(data.data()),
               std::streamsize(data.size() * sizeof(T)));
  }
  std::vector<uint8_t> read(const std::string &name) {
    std::ifstream in(folder + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in),
            std::istreambuf_iterator<char>()};
  }

  /// A tensor that reads `count` bytes from `offset` of the file `source`;
  /// planes from `next` on.
  json tensor(const std::string &format, std::vector<int64_t> shape,
              const std::string &storedType, int64_t count,
              int64_t offset = 0) {
    json planes = json::array();
    auto place = [&](const char *name, int64_t offset) {
      planes.push_back({{"name", name}, {"offset", next + offset}});
    };
    int64_t bytes =
        4 * (shape.back() + 16) * (shape.size() == 2 ? shape[0] : 1);
    if (const Format *known = codegen::findFormat(format)) {
      bytes = codegen::weightBytes(*known, shape[0], shape[1]);
      for (size_t i = 0; i < known->planes.size(); ++i)
        place(known->planes[i].name,
              codegen::planeStart(*known, i, shape[0], shape[1]));
    } else {
      place("w", 0);
    }
    next += (bytes + 63) / 64 * 64;
    return {{"name", "layers.0." + format},
            {"format", format},
            {"shape", shape},
            {"source",
             {{"path", folder + "/source"},
              {"offset", offset},
              {"size", count},
              {"storedType", storedType}}},
            {"planes", planes}};
  }

  /// Runs the request; what it printed.
  std::string run(int expected) {
    std::ofstream(folder + "/request.json") << request;
    testing::internal::CaptureStderr();
    const int status = packMain(folder + "/request.json");
    std::string text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(status, expected) << text;
    for (size_t at = text.find(folder); at != std::string::npos;
         at = text.find(folder))
      text.replace(at, folder.size(), "@");
    return text;
  }

  std::string folder;
  json request;
  int64_t next = 0;
};

TEST_F(Pack, EveryFormatIsWrittenAsPackedInMemory) {
  std::mt19937 random(8);
  // Three pieces of many panels, or one that ends inside a panel.
  struct Wanted {
    std::vector<uint8_t> stored;
    json tensor;
    const Format *format;
    const char *type;
    int64_t rows, inner;
  };
  std::vector<Wanted> all;
  std::vector<uint8_t> source(100, 0);
  for (const Format &format : codegen::formats())
    for (const char *type : format.storedTypes) {
      // Floats of random bits overflow an f16 scale, which is an error of its
      // own.
      const bool quantised = format.scaleGroup != 0 &&
                             codegen::findStoredType(type)->blockElements == 1;
      const int64_t inner = 3 * std::max<int64_t>(format.innerMultiple, 256),
                    rows = 700;
      std::vector<uint8_t> stored =
          codegen::randomRows(type, rows, inner, random);
      if (quantised)
        for (size_t i = 0; i < stored.size(); ++i)
          if (const size_t size =
                  size_t(codegen::findStoredType(type)->blockBytes);
              i % size == size - 1)
            stored[i] &= 0xbf;
      const json entry = tensor(format.name, {rows, inner}, type,
                                int64_t(stored.size()), int64_t(source.size()));
      source.insert(source.end(), stored.begin(), stored.end());
      request["tensors"].push_back(entry);
      all.push_back({std::move(stored), entry, &format, type, rows, inner});
    }
  write("source", source);
  run(0);
  const std::vector<uint8_t> out = read("out");
  for (int64_t i = 0; i < kSection; ++i)
    ASSERT_EQ(out[size_t(i)], 0xee);
  for (const Wanted &wanted : all) {
    SCOPED_TRACE(std::string(wanted.type) + " in " + wanted.format->name);
    codegen::PackedWeight packed(*wanted.format, wanted.type,
                                 wanted.stored.data(), wanted.rows,
                                 wanted.inner);
    ASSERT_EQ(packed.bad, -1);
    for (size_t i = 0; i < wanted.format->planes.size(); ++i) {
      if (wanted.format->planes[i].joins)
        continue;
      const auto at = size_t(
          kSection + wanted.tensor["planes"][i]["offset"].get<int64_t>());
      const auto bytes = size_t(
          codegen::streamBytes(*wanted.format, i, wanted.rows, wanted.inner));
      ASSERT_LE(at + bytes, out.size());
      EXPECT_EQ(std::memcmp(&out[at],
                            packed.bytes.data() +
                                codegen::planeStart(*wanted.format, i,
                                                    wanted.rows, wanted.inner),
                            bytes),
                0);
    }
  }
}

TEST_F(Pack, VectorsBecomeF32AndArePadded) {
  const std::vector<float> values{1.5f, -2.0f, 3.25f};
  const std::vector<uint16_t> brains{0x3fc0, 0xc000, 0x4050},
      halves{0x3e00, 0xc000, 0x4280};
  std::vector<uint8_t> source(24);
  std::memcpy(source.data(), values.data(), 12);
  std::memcpy(source.data() + 12, brains.data(), 6);
  std::memcpy(source.data() + 18, halves.data(), 6);
  write("source", source);
  request["tensors"] = {tensor("vec", {3}, "f32", 12),
                        tensor("vec", {3}, "bf16", 6, 12),
                        tensor("vec", {3}, "f16", 6, 18)};
  EXPECT_EQ(run(0), "");
  const std::vector<uint8_t> out = read("out");
  for (const json &entry : request["tensors"])
    for (int64_t i = 0; i < 16; ++i) {
      const int64_t at =
          kSection + entry["planes"][0]["offset"].get<int64_t>() + 4 * i;
      EXPECT_EQ(codegen::load<float>(&out[size_t(at)]),
                i < 3 ? values[size_t(i)] : 0.0f);
    }
}

TEST_F(Pack, RopeTableIsCosinesThenSines) {
  const int64_t positions = 5000, width = 64;
  json entry = tensor("rope", {positions, width}, "", 0);
  entry.erase("source");
  entry["theta"] = 1e6;
  request["tensors"] = {entry};
  EXPECT_EQ(run(0), "");
  const std::vector<uint8_t> out = read("out");
  auto at = [&](int64_t p, int64_t i) {
    return codegen::load<float>(&out[size_t(kSection + 4 * (p * width + i))]);
  };
  for (int64_t i = 0; i < width / 2; ++i) {
    EXPECT_EQ(at(0, i), 1.0f);
    EXPECT_EQ(at(0, width / 2 + i), 0.0f);
  }
  EXPECT_EQ(at(7, 0), float(std::cos(7.0)));
  EXPECT_EQ(at(7, width / 2), float(std::sin(7.0)));
  double worst = 0;
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t i = 0; i < width / 2; ++i) {
      const double angle = double(p) * std::pow(1e6, -2.0 * double(i) / width);
      worst =
          std::max(worst, std::abs(at(p, i) - std::cos(angle)) / (1 + angle));
      worst = std::max(worst, std::abs(at(p, width / 2 + i) - std::sin(angle)) /
                                  (1 + angle));
    }
  // The exponent's rounding times ln(theta), then three roundings of the power,
  // its inverse and the angle.
  EXPECT_LE(worst, (std::log(1e6) / 2 + 2) * 0x1p-23);
}

TEST_F(Pack, RopeTableIsThatOfTransformers) {
  // torch 2, float32: 1 / 1e6 ** (arange(0, 64, 2) / 64), entries 1, 7, 20 and
  // 31, at position 4095.
  json entry = tensor("rope", {4096, 64}, "", 0);
  entry.erase("source");
  entry["theta"] = 1e6;
  request["tensors"] = {entry};
  run(0);
  const std::vector<uint8_t> out = read("out");
  struct Entry {
    int64_t i;
    float cosine, sine;
  };
  const Entry entries[] = {{1, 0.13994693756103516f, 0.9901589751243591f},
                           {7, -0.07784665375947952f, -0.9969653487205505f},
                           {20, 0.7463699579238892f, 0.6655312776565552f},
                           {31, 0.999980092048645f, 0.0063059572130441666f}};
  for (const Entry &expected : entries) {
    const uint8_t *row = &out[size_t(kSection + 4 * 4095 * 64)];
    EXPECT_NEAR(codegen::load<float>(row + 4 * expected.i), expected.cosine,
                0x1p-24);
    EXPECT_NEAR(codegen::load<float>(row + 4 * (32 + expected.i)),
                expected.sine, 0x1p-24);
  }
}

TEST_F(Pack, WrongElementsAreNamed) {
  std::vector<float> floats(40 * 64, 1.0f);
  floats[37 * 64 + 45] = std::numeric_limits<float>::quiet_NaN();
  write("source", floats);
  request["tensors"] = {tensor("f32", {40, 64}, "f32", 40 * 64 * 4)};
  EXPECT_EQ(run(1), "@/source: error: `layers.0.f32`[37, 45] is nan\n");
  floats[37 * 64 + 45] = -std::numeric_limits<float>::infinity();
  write("source", floats);
  EXPECT_EQ(run(1), "@/source: error: `layers.0.f32`[37, 45] is -inf\n");
  request["tensors"] = {tensor("vec", {2500}, "f32", 10000)};
  EXPECT_EQ(run(1), "@/source: error: `layers.0.vec`[2413] is -inf\n");
  floats[37 * 64 + 45] = 1e30f;
  write("source", floats);
  request["tensors"] = {tensor("q8g32", {40, 64}, "f32", 40 * 64 * 4)};
  EXPECT_EQ(run(1), "@/source: error: `layers.0.q8g32`[37, 32] starts a group "
                    "of 32 elements that are too large for "
                    "format `q8g32`; use `f32`\n");
  std::vector<uint8_t> blocks(18 * 2 * 34, 0);
  codegen::store(&blocks[(17 * 2 + 1) * 34], uint16_t(0x7c00));
  write("source", blocks);
  request["tensors"] = {tensor("q8g32", {18, 64}, "q8_0", 18 * 2 * 34)};
  EXPECT_EQ(run(1), "@/source: error: `layers.0.q8g32`[17, 32] starts a block "
                    "of 32 elements whose scale is not a "
                    "finite number\n");
}

TEST_F(Pack, InnerSizesThatAFormatCannotHoldListThoseThatCan) {
  write("source", std::vector<uint8_t>(100000));
  request["tensors"] = {tensor("q8g32", {16, 40}, "bf16", 16 * 40 * 2)};
  EXPECT_EQ(run(1), "@/request.json: error: `layers.0.q8g32`: format `q8g32` "
                    "needs an inner size that is a multiple of "
                    "32, got 40; formats that would do: bf16, f32\n");
  request["tensors"] = {tensor("q4k", {16, 256}, "bf16", 16 * 256 * 2)};
  EXPECT_EQ(run(1), "@/request.json: error: `layers.0.q4k`: format `q4k` does "
                    "not take bf16; formats that do: bf16, "
                    "f32, q4g32, q5g32, q8g32, q8g32s\n");
}

TEST_F(Pack, BadRequestsAreOneMessage) {
  write("source", std::vector<uint8_t>(4096));
  const json good = tensor("f32", {16, 4}, "f32", 256);
  struct Case {
    const char *pointer;
    json value;
    const char *message;
  };
  const Case cases[] = {
      {"/tensors/0/format", "q9", "no format `q9`; formats: vec, rope, bf16"},
      {"/tensors/0/shape", {16}, "the shape [16] has not 2 dimensions"},
      {"/tensors/0/shape", {16, 0}, "the shape [16,0] is out of range"},
      {"/tensors/0/shape",
       {-16, 4},
       "the shape's size is -16; it must be a whole number, not negative"},
      {"/tensors/0/shape",
       {2000000000, 2000000000},
       "the shape [2000000000,2000000000] is out of range"},
      {"/tensors/0/shape", {int64_t(1) << 40, 4}, "is out of range"},
      {"/tensors/0/shape", {16.5, 4}, "the shape's size is 16.5"},
      {"/tensors/0/source/size", 255,
       "the source has 255 bytes, the shape needs 256"},
      {"/tensors/0/source/offset", 3841,
       "@/source: error: `layers.0.f32`: ends at byte 4097, the file at 4096"},
      {"/tensors/0/source/offset", INT64_MAX,
       "@/source: error: `layers.0.f32`: ends at byte 9223372036854776063"},
      {"/tensors/0/source/offset", UINT64_MAX,
       "the source's offset is 18446744073709551615"},
      {"/tensors/0/source/storedType", "q3_k", "no stored type `q3_k`"},
      {"/tensors/0/source/storedType", "q8_0",
       "rows of 4 elements are not whole q8_0 blocks of 32"},
      {"/tensors/0/source/path", "/no/such/file",
       "/no/such/file: error: cannot open: No such file or directory"},
      {"/tensors/0/source/path", 7, "type must be string, but is number"},
      {"/tensors/0/planes", json::array(), "got 0 planes, the format has 1"},
      {"/tensors/0/planes/0/name", "q",
       "plane 0 is \"q\", the format's is `w`"},
      {"/tensors/0/planes/0/offset", 32,
       "a plane's offset is 32; it must be a multiple of 64 in the file"},
      {"/tensors/0/planes/0/offset", INT64_MAX - 63,
       "it must be a multiple of 64 in the file"},
      {"/sectionOffset", -1, "`sectionOffset` is -1"},
      {"/jobs", "many", "`jobs` is \"many\""},
      {"/output", "/no/such/folder/out",
       "/no/such/folder/out: error: cannot open: No such file or directory"},
      {"/tensors", 3, "error"},
  };
  const json whole = request;
  for (const Case &wrong : cases) {
    request = whole;
    request["tensors"] = {good};
    request[json::json_pointer(wrong.pointer)] = wrong.value;
    const std::string text = run(1);
    EXPECT_NE(text.find(wrong.message), std::string::npos)
        << text << "wanted: " << wrong.message;
    EXPECT_NE(text.find(": error: "), std::string::npos);
    EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
  }
  for (const char *key : {"output", "sectionOffset", "jobs", "tensors"}) {
    request = whole;
    request["tensors"] = {good};
    request.erase(key);
    EXPECT_NE(run(1).find("key '" + std::string(key) + "' not found"),
              std::string::npos);
  }
}

TEST_F(Pack, PlanesThatJoinLieInTheirStream) {
  write("source", std::vector<uint8_t>(4096));
  json apart = tensor("q8g32", {16, 64}, "q8_0", 16 * 2 * 34);
  apart["planes"][1]["offset"] = 1024;
  request["tensors"] = {apart};
  EXPECT_EQ(run(1),
            "@/request.json: error: `layers.0.q8g32`: plane `s` is at 1024; it "
            "must be 512 bytes behind the first of its stream, at 0\n");
}

TEST_F(Pack, UnreadableRequestsAreOneMessage) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(packMain(folder + "/none.json"), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            folder +
                "/none.json: error: cannot open: No such file or directory\n");
  std::ofstream(folder + "/broken.json") << "{\"output\": ";
  testing::internal::CaptureStderr();
  EXPECT_EQ(packMain(folder + "/broken.json"), 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("broken.json: error: "),
            std::string::npos);
}

TEST_F(Pack, AFullDiskIsSaid) {
  write("source", std::vector<uint8_t>(4096));
  request["tensors"] = {tensor("f32", {16, 4}, "f32", 256)};
  request["output"] = "/dev/full";
  EXPECT_EQ(
      run(1),
      "/dev/full: error: cannot write at byte 4096: No space left on device\n");
}

TEST_F(Pack, AFileThatShrankIsSaid) {
  write("source", std::vector<uint8_t>(100));
  const OpenFile file(folder + "/source", O_RDONLY);
  std::vector<uint8_t> bytes(60);
  file.read(bytes.data(), 60, 40);
  try {
    file.read(bytes.data(), 60, 50);
    FAIL();
  } catch (const PackError &error) {
    EXPECT_EQ(
        error.text,
        folder +
            "/source: error: the file ends at byte 100, 10 bytes too early");
  }
}

} // namespace
} // namespace qwen
