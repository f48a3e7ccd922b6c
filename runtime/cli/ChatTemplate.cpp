// ChatTemplate.cpp - the variables that a template sees, and its errors as
// statuses.
#include "runtime/cli/ChatTemplate.h"

namespace qwen {

// Longer than any published template by far; bounds the work on a hostile one.
constexpr size_t kMaxTemplateBytes = size_t{1} << 20;

Result<ChatTemplate> ChatTemplate::parse(std::string_view jinja) {
  if (jinja.empty())
    return Status::unsupported("this model has no chat template");
  if (jinja.size() > kMaxTemplateBytes)
    return Status::unsupported(
        "the chat template has %zu bytes; at most %zu are supported",
        jinja.size(), kMaxTemplateBytes);
  try {
    ChatTemplate result;
    result.block_ = jinja::parse(jinja);
    return result;
  } catch (const jinja::Error &error) {
    return Status::unsupported("the model's chat template: %s", error.what());
  }
}

Result<std::string>
ChatTemplate::render(const std::vector<ChatMessage> &messages,
                     bool thinking) const {
  jinja::Value list = jinja::Value::array();
  for (const ChatMessage &message : messages)
    list.push_back({{"role", message.role}, {"content", message.content}});
  try {
    jinja::Value variables = {{"messages", std::move(list)},
                              {"tools", nullptr},
                              {"documents", nullptr},
                              {"add_generation_prompt", true}};
    // Templates think unless the variable is there and false.
    if (!thinking)
      variables["enable_thinking"] = false;
    return jinja::render(block_, std::move(variables));
  } catch (const jinja::Error &error) {
    return Status::invalid("the model's chat template: %s", error.what());
  }
}

} // namespace qwen
