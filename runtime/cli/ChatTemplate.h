// ChatTemplate.h - a conversation as the text that the model was trained on, by
// the model's own template.
//
// Source  Hugging Face transformers,
// PreTrainedTokenizerBase.apply_chat_template
#ifndef QWEN_RUNTIME_CLI_CHATTEMPLATE_H
#define QWEN_RUNTIME_CLI_CHATTEMPLATE_H

#include "runtime/cli/TemplateTree.h"
#include "runtime/core/Status.h"

#include <string>
#include <string_view>
#include <vector>

namespace qwen {

struct ChatMessage {
  std::string role, content;
};

class ChatTemplate {
public:
  /// kUnsupported if `jinja` is empty or uses what is not known here, naming
  /// the line.
  static Result<ChatTemplate> parse(std::string_view jinja);

  /// The text of `messages`, followed by the start of the assistant's next one.
  /// Without `thinking`, models that think before they answer are told not to.
  /// kInvalid if the template refuses them.
  Result<std::string> render(const std::vector<ChatMessage> &messages,
                             bool thinking = true) const;

private:
  jinja::Block block_;
};

} // namespace qwen

#endif
