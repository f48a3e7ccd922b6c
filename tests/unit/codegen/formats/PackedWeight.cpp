// PackedWeight.cpp - packing in memory and reading fixtures.
#include "tests/unit/codegen/formats/PackedWeight.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>

namespace qwen::codegen {

PackedWeight::PackedWeight(const Format &format, std::string_view storedType,
                           const uint8_t *stored, int64_t rows, int64_t inner)
    : format(format), rows(rows), inner(inner) {
  // Whatever the memory held before must not show through, padding rows
  // included.
  bytes.assign(size_t(weightBytes(format, rows, inner)), uint8_t(0xa5));
  const StoredType &type = *findStoredType(storedType);
  const int64_t rowBytes = inner / type.blockElements * type.blockBytes;
  for (int64_t first = 0; first < rows && bad < 0; first += kPanelRows) {
    PackPanel panel = {storedType, {}, inner, {}};
    for (int64_t n = 0; n < kPanelRows; ++n)
      panel.rows[n] =
          first + n < rows ? stored + (first + n) * rowBytes : nullptr;
    panel.planes =
        panelBlocks(format, bytes.data(), rows, inner, first / kPanelRows);
    bad = format.pack(panel);
    if (bad >= 0)
      bad += first * inner;
  }
}

PackedPanel PackedWeight::panel(int64_t index) const {
  return panelBlocks(format, bytes.data(), rows, inner, index);
}

float PackedWeight::value(int64_t n, int64_t k) const {
  return format.value(panel(n / kPanelRows), n % kPanelRows, k);
}

std::vector<uint8_t> randomRows(std::string_view storedType, int64_t rows,
                                int64_t inner, std::mt19937 &random) {
  const StoredType &type = *findStoredType(storedType);
  std::vector<uint8_t> bytes(
      size_t(rows * inner / type.blockElements * type.blockBytes));
  for (uint8_t &byte : bytes)
    byte = uint8_t(random());
  // Clears one bit of the exponent of whatever is a float and is not finite: a
  // scale, or an element.
  auto settle16 = [&](size_t at, uint16_t exponent) {
    uint16_t half = load<uint16_t>(&bytes[at]);
    if ((half & exponent) == exponent)
      store(&bytes[at], uint16_t(half & ~(exponent & -exponent)));
  };
  for (size_t block = 0; block < bytes.size();
       block += size_t(type.blockBytes)) {
    if (storedType == "f32")
      settle16(block + 2, 0x7f80);
    else if (storedType == "bf16")
      settle16(block, 0x7f80);
    else
      settle16(block + (storedType == "q6_k" ? 208 : 0), 0x7c00);
    if (storedType == "q4_k" || storedType == "q5_k")
      settle16(block + 2, 0x7c00);
  }
  return bytes;
}

std::vector<Fixture> readFixtures() {
  const std::string folder =
      QWENC_SOURCE_DIR "/tests/unit/codegen/formats/fixtures/";
  std::ifstream data(folder + "packed.bin", std::ios::binary),
      index(folder + "packed.json");
  const std::vector<char> bytes(std::istreambuf_iterator<char>(data), {});
  std::vector<Fixture> fixtures;
  if (!index || bytes.empty())
    return fixtures;
  const nlohmann::json root = nlohmann::json::parse(index);
  for (const nlohmann::json &entry : root["fixtures"]) {
    Fixture fixture = {entry["storedType"],
                       entry["format"],
                       entry["rows"],
                       entry["inner"],
                       {},
                       {}};
    const StoredType &type = *findStoredType(fixture.storedType);
    const int64_t elements = fixture.rows * fixture.inner;
    const auto *stored = reinterpret_cast<const uint8_t *>(bytes.data()) +
                         entry["stored"].get<int64_t>();
    fixture.stored.assign(stored, stored + elements / type.blockElements *
                                               type.blockBytes);
    fixture.values.resize(size_t(elements));
    std::memcpy(fixture.values.data(),
                bytes.data() + entry["values"].get<int64_t>(),
                size_t(elements) * 4);
    fixtures.push_back(std::move(fixture));
  }
  return fixtures;
}

} // namespace qwen::codegen
