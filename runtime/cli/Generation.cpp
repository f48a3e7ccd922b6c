// Generation.cpp - reading the generation section.
#include "runtime/cli/Generation.h"

#include <nlohmann/json.hpp>

namespace qwen {
namespace {

using nlohmann::json;

template <typename T>
Status read(const json &object, const char *key, std::optional<T> &value) {
  auto found = object.find(key);
  if (found == object.end() || found->is_null())
    return {};
  if (!found->is_number())
    return Status::invalid("the generation section's `%s` is not a number",
                           key);
  value = found->get<T>();
  return {};
}

} // namespace

Result<Generation> Generation::parse(std::string_view text) {
  Generation generation;
  // The section may be padded with zeros.
  while (!text.empty() && text.back() == '\0')
    text.remove_suffix(1);
  if (text.empty())
    return generation;
  json object = json::parse(text.begin(), text.end(), nullptr,
                            /*allow_exceptions=*/false);
  if (!object.is_object())
    return Status::invalid("the generation section is not a JSON object");
  for (Status status :
       {read(object, "temperature", generation.temperature),
        read(object, "top_p", generation.topP),
        read(object, "min_p", generation.minP),
        read(object, "top_k", generation.topK),
        read(object, "repetition_penalty", generation.repetitionPenalty)})
    if (!status.ok())
      return status;
  if (auto stops = object.find("stop_ids"); stops != object.end()) {
    if (!stops->is_array())
      return Status::invalid(
          "the generation section's `stop_ids` is not an array");
    for (const json &id : *stops) {
      if (!id.is_number_integer())
        return Status::invalid("the generation section's `stop_ids` holds "
                               "something that is not an id");
      generation.stops.add(id.get<int32_t>());
    }
  }
  if (auto chat = object.find("chat_template");
      chat != object.end() && chat->is_string())
    generation.chatTemplate = chat->get<std::string>();
  return generation;
}

} // namespace qwen
