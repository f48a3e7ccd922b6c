// Arrays.cpp - the header is untrusted: every number is checked.
#include "tools/qwenc/verify/Arrays.h"

#include "codegen/emit/OutputFile.h"
#include "frontend/weights/Dequantize.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>
#include <nlohmann/json.hpp>

namespace qwen::verify {
namespace {

using nlohmann::json;
using reference::Rows;

constexpr int64_t kGroup = 32;

int64_t elementBytes(llvm::StringRef type) {
  return llvm::StringSwitch<int64_t>(type)
      .Case("F64", 8)
      .Cases({"F32", "I32"}, 4)
      .Cases({"F16", "BF16", "I16"}, 2)
      .Case("I8", 1)
      .Default(0);
}

template <typename T> T load(const char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

double elementAt(llvm::StringRef type, const char *bytes) {
  if (type == "F64")
    return load<double>(bytes);
  if (type == "F32")
    return double(load<float>(bytes));
  if (type == "I32")
    return load<int32_t>(bytes);
  if (type == "I16")
    return load<int16_t>(bytes);
  if (type == "F16")
    return double(halfToFloat(load<uint16_t>(bytes)));
  if (type == "BF16")
    return double(bfloatToFloat(load<uint16_t>(bytes)));
  return load<int8_t>(bytes);
}

/// False when the entry is no array inside `body`.
bool readArray(const json &entry, llvm::StringRef body, Rows &rows) {
  if (!entry.is_object() || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets") ||
      !entry["dtype"].is_string() || !entry["shape"].is_array() ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
    return false;
  std::string type = entry["dtype"];
  int64_t size = elementBytes(type), count = 1, width = 1;
  auto most = int64_t(body.size());
  for (const json &dim : entry["shape"]) {
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > uint64_t(most))
      return false;
    width = dim.get<int64_t>();
    if (width != 0 && count > most / width)
      return false;
    count *= width;
  }
  const json &begin = entry["data_offsets"][0], &end = entry["data_offsets"][1];
  if (size == 0 || count == 0 || !begin.is_number_unsigned() ||
      !end.is_number_unsigned() || end.get<uint64_t>() > body.size() ||
      begin.get<uint64_t>() > end.get<uint64_t>() ||
      end.get<uint64_t>() - begin.get<uint64_t>() != uint64_t(count * size))
    return false;
  rows = Rows(count / width, width);
  const char *bytes = body.data() + begin.get<uint64_t>();
  for (int64_t i = 0; i < count; ++i)
    rows.values[size_t(i)] = elementAt(type, bytes + i * size);
  return true;
}

} // namespace

llvm::Expected<TapRows> readArrays(const std::string &path) {
  return readArrays(path, [](llvm::StringRef) { return true; });
}

llvm::Expected<TapRows>
readArrays(const std::string &path,
           llvm::function_ref<bool(llvm::StringRef name)> wanted) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return userError("cannot read `" + path +
                     "`: " + file.getError().message());
  llvm::StringRef bytes = (*file)->getBuffer();
  auto damaged = [&](const std::string &what) {
    return userError("`" + path + "` is no safetensors file: " + what);
  };
  uint64_t length = 0;
  if (bytes.size() >= sizeof(length))
    std::memcpy(&length, bytes.bytes_begin(), sizeof(length));
  if (bytes.size() < sizeof(length) || length > bytes.size() - sizeof(length))
    return damaged("its header does not fit");
  json header = json::parse(bytes.substr(8, length), nullptr,
                            /*allow_exceptions=*/false);
  if (!header.is_object())
    return damaged("its header is no JSON object");
  TapRows arrays;
  for (const auto &[name, entry] : header.items()) {
    if (name == "__metadata__" || !wanted(name))
      continue;
    if (!readArray(entry, bytes.drop_front(8 + length), arrays[name]))
      return damaged("`" + name + "` is no array inside it");
  }
  return arrays;
}

llvm::Error joinQuantized(TapRows &taps) {
  std::vector<std::string> names;
  for (const auto &[name, rows] : taps)
    if (llvm::StringRef(name).ends_with(".quantized.values"))
      names.push_back(llvm::StringRef(name).drop_back(7).str());
  for (const std::string &name : names) {
    const Rows &values = taps[name + ".values"],
               &scales = taps[name + ".scales"], &sums = taps[name + ".sums"];
    if (scales.values.size() * size_t(kGroup) != values.values.size() ||
        sums.values.size() != 2 * scales.values.size())
      return userError("`" + name + "` has " +
                       std::to_string(scales.values.size()) + " scales for " +
                       std::to_string(values.values.size()) + " values");
    Rows joined(values.tokens, values.width);
    for (size_t half = 0; half < sums.values.size(); ++half) {
      const size_t first = half * kGroup / 2;
      double sum = 0;
      for (size_t i = first; i < first + kGroup / 2; ++i) {
        joined.values[i] = values.values[i] * scales.values[half / 2];
        sum += values.values[i];
      }
      // Linears of formats with a minimum or a zero point read the sums: a
      // wrong one is as bad as a wrong value.
      if (sum != sums.values[half])
        joined.values[first] = std::numeric_limits<double>::quiet_NaN();
    }
    for (const char *part : {".values", ".scales", ".sums"})
      taps.erase(name + part);
    taps[name] = std::move(joined);
  }
  return llvm::Error::success();
}

} // namespace qwen::verify
