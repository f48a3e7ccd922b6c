// build/bin/unit_codegen_formats_real
//
// RealModelTest.cpp - every tensor of a real GGUF file keeps its stored values
// to the bit; skipped where the model is not in the cache.
#include "frontend/weights/Dequantize.h"
#include "frontend/weights/Gguf.h"
#include "tests/unit/codegen/formats/PackedWeight.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>

namespace qwen::codegen {
namespace {

std::vector<std::string> cachedModels() {
  const char *cache = std::getenv("QWENC_MODEL_CACHE"),
             *home = std::getenv("HOME");
  const std::string folder =
      cache && *cache ? cache
                      : std::string(home ? home : "") + "/.cache/qwenc/models";
  std::vector<std::string> models;
  std::error_code ignored;
  for (const auto &entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".gguf")
      models.push_back(entry.path());
  return models;
}

TEST(RealModel, PackedTensorsKeepTheirValues) {
  const std::vector<std::string> models = cachedModels();
  if (models.empty())
    GTEST_SKIP() << "no .gguf in the model cache; tools/get_model fetches one";
  for (const std::string &model : models) {
    Diagnostics diags(std::cerr);
    const std::optional<GgufHeader> header = readGguf(model, diags);
    ASSERT_TRUE(header.has_value());
    std::map<std::string, int64_t> seen;
    std::mt19937 random(9);
    for (const auto &[name, tensor] : header->tensors) {
      if (tensor.shape.size() != 2)
        continue;
      SCOPED_TRACE(name + " " + tensor.storedType);
      const Format *format = nullptr;
      for (const Format &candidate : formats())
        if (tensor.storedType == candidate.storedTypes[0])
          format = &candidate;
      ASSERT_NE(format, nullptr);
      const int64_t inner = tensor.shape[1],
                    count = std::min<int64_t>(20, tensor.shape[0]);
      const int64_t first = int64_t(random()) % (tensor.shape[0] - count + 1);
      std::vector<uint8_t> stored;
      std::vector<double> values;
      ASSERT_TRUE(readTensorBytes(tensor, first, count, stored, diags));
      ASSERT_TRUE(readTensorRows(tensor, first, count, values, diags));
      PackedWeight packed(*format, tensor.storedType, stored.data(), count,
                          inner);
      ASSERT_EQ(packed.bad, -1);
      for (int64_t i = 0; i < count * inner; ++i)
        ASSERT_EQ(std::bit_cast<uint32_t>(packed.value(i / inner, i % inner)),
                  std::bit_cast<uint32_t>(float(values[size_t(i)])))
            << "row " << first + i / inner << ", k " << i % inner;
      ++seen[tensor.storedType];
    }
    EXPECT_FALSE(seen.empty());
  }
}

} // namespace
} // namespace qwen::codegen
