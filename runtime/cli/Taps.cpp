// Taps.cpp - `taps`: what every operator of a step gave, as a safetensors file.
//
// Shapes  a tap [T, width]; NAME.values, NAME.scales and NAME.sums for
// quantised
//         rows; a cache as the rows that the step appended
#include "runtime/cli/Files.h"
#include "runtime/cli/Ids.h"
#include "runtime/cli/Model.h"
#include "runtime/cli/Safetensors.h"

#include "qwen/cache_layout.h"

#include <cstring>
#include <nlohmann/json.hpp>

namespace qwen {
namespace {

using nlohmann::json;

constexpr int64_t kQuantizedGroup = 32; // values that share a scale

float elementAt(const uint8_t *bytes, std::string_view type) {
  if (type == "u8")
    return *bytes;
  if (type == "i16") {
    int16_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
  }
  if (type == "f16") {
    _Float16 value;
    memcpy(&value, bytes, sizeof(value));
    return static_cast<float>(value);
  }
  float value;
  memcpy(&value, bytes, sizeof(value));
  return value;
}

/// Rows of a step and where they are in the cache.
struct StepRows {
  int64_t count, position;
};

class TapReader {
public:
  TapReader(const Session::Memory &memory, StepRows rows)
      : memory_(memory), rows_(rows) {}

  void read(const json &tap, std::vector<NamedArray> &arrays) const {
    std::string name = tap["name"], element = tap["element"];
    int64_t width = tap["width"];
    if (element == "f32")
      arrays.push_back(rows(name, "F32", 4, width, tap["places"][0]));
    else if (element == "i32")
      arrays.push_back(rows(name, "I32", 4, width, tap["places"][0]));
    else if (element == "q8g32") {
      int64_t groups = width / kQuantizedGroup;
      const json &places = tap["places"];
      arrays.push_back(rows(name + ".values", "I8", 1, width, places[0]));
      arrays.push_back(rows(name + ".scales", "F32", 4, groups, places[1]));
      arrays.push_back(rows(name + ".sums", "I16", 2, 2 * groups, places[2]));
    } else {
      arrays.push_back(cacheRows(tap, name, element == "key"));
    }
  }

private:
  Session::Memory memory_;
  StepRows rows_;

  const uint8_t *at(const json &place) const {
    std::string arena = place["arena"];
    const uint8_t *base = arena == "cache"     ? memory_.cache
                          : arena == "scratch" ? memory_.scratch
                                               : memory_.arena;
    return base + place["offset"].get<int64_t>();
  }

  NamedArray rows(const std::string &name, const char *type,
                  int64_t elementBytes, int64_t width,
                  const json &place) const {
    NamedArray array{name, type, rows_.count, width, {}};
    int64_t rowBytes = width * elementBytes, stride = place["stride"];
    const uint8_t *begin = at(place);
    for (int64_t t = 0; t < rows_.count; ++t)
      array.bytes.insert(array.bytes.end(), begin + t * stride,
                         begin + t * stride + rowBytes);
    return array;
  }

  NamedArray cacheRows(const json &tap, const std::string &name,
                       bool keys) const {
    int64_t positions = tap["cache"][0], heads = tap["cache"][1],
            headWidth = tap["cache"][2];
    std::string element = tap["cache_element"];
    std::vector<CachePlane> planes = cachePlanes(element, keys, headWidth);
    const CacheCode *code = cacheCode(element);
    NamedArray array{name, "F32", rows_.count, heads * headWidth, {}};
    for (int64_t t = 0; t < rows_.count; ++t)
      for (int64_t head = 0; head < heads; ++head) {
        auto cached = [&](size_t plane, int64_t column) {
          return elementAt(at(tap["places"][plane]) +
                               head * planes[plane].headBytes(positions) +
                               planes[plane].index(rows_.position + t, column) *
                                   planes[plane].elementBytes(),
                           planes[plane].type);
        };
        for (int64_t c = 0; c < headWidth; ++c) {
          KeyColumn column =
              keys ? keyColumn(code, c, headWidth) : KeyColumn{false, c};
          float value = cached(column.slow ? 1 : 0, column.column);
          if (code && !column.slow)
            value = (value - static_cast<float>(code->offset)) *
                    cached(planes.size() - 1, 0);
          const auto *bytes = reinterpret_cast<const uint8_t *>(&value);
          array.bytes.insert(array.bytes.end(), bytes, bytes + sizeof(value));
        }
      }
    return array;
  }
};

class TapsCommand : public Command {
public:
  const char *name() const override { return "taps"; }
  const char *help() const override {
    return "write what every operator gives, as a safetensors file; for "
           "executables compiled with --taps";
  }

  std::vector<OptionRow> options() override {
    std::vector<OptionRow> rows = {
        {"--ids", &idsPath_,
         "file of token ids, separated by blanks or commas; `-` is the "
         "standard input"},
        {"-o,--output", &output_, "the .safetensors file to write"},
        {"--decode", &decode_,
         "of decoding the last token, after the others as a prompt"}};
    for (const OptionRow &row : model_.rows())
      rows.push_back(row);
    return rows;
  }

  Status run() override {
    const qwen_plan &plan = modelPlan();
    if (idsPath_.empty())
      return Status::invalid("no tokens; give --ids FILE");
    if (output_.empty())
      return Status::invalid("no output; give -o FILE");
    json table = json::parse(plan.taps, nullptr, /*allow_exceptions=*/false);
    if (!table.is_object())
      return Status::unsupported("this executable keeps no results of its "
                                 "operators; compile it with --taps");
    Result<std::vector<int32_t>> ids = readIds(idsPath_, plan.vocab_size);
    if (!ids.ok())
      return ids.status();
    auto count = static_cast<int64_t>(ids->size());
    int64_t most =
        std::min(model_.chunk.value_or(plan.prefill_chunk), plan.logits_rows);
    if (!decode_ && count > most)
      return Status::invalid("%lld tokens; the results of one step of at most "
                             "%lld are kept",
                             static_cast<long long>(count),
                             static_cast<long long>(most));
    Result<std::unique_ptr<Model>> model = Model::open(model_);
    if (!model.ok())
      return model.status();
    Session &session = *(*model)->session;
    if (Status status = session.check(*ids, 0); !status.ok())
      return status;
    if (Status status = step(session, *ids); !status.ok())
      return status;
    StepRows rows = decode_ ? StepRows{1, count - 1} : StepRows{count, 0};
    TapReader reader(session.memory(), rows);
    std::vector<NamedArray> arrays;
    for (const json &tap : table[decode_ ? "decode" : "prefill"])
      reader.read(tap, arrays);
    return writeSafetensors(output_, arrays,
                            {{"position", std::to_string(rows.position)}});
  }

private:
  std::string idsPath_, output_;
  bool decode_ = false;
  ModelOptions model_;

  Status step(Session &session, std::span<const int32_t> ids) const {
    if (!decode_)
      return session.prefillAllLogits(
          ids, [](int64_t, const float *) { return Status(); });
    if (ids.size() > 1)
      if (Status status = session.prefill(ids.first(ids.size() - 1));
          !status.ok())
        return status;
    return session.decode(ids.back());
  }
};

} // namespace

std::unique_ptr<Command> commands::taps() {
  return std::make_unique<TapsCommand>();
}

} // namespace qwen
