// Chat.cpp - `chat`: a conversation in the model's own format.
#include "runtime/cli/Drafting.h"
#include "runtime/cli/Files.h"
#include "runtime/cli/LineReader.h"
#include "runtime/cli/Model.h"
#include "runtime/cli/Sampling.h"
#include "runtime/cli/Text.h"
#include "runtime/core/Cancellation.h"
#include "runtime/core/Detokenizer.h"
#include "runtime/core/Generator.h"

#include <cstdio>
#include <unistd.h>

namespace qwen {
namespace {

class ChatCommand : public Command {
public:
  const char *name() const override { return "chat"; }
  const char *help() const override {
    return "talk: each line of the input is a message; /reset starts anew, "
           "/quit or the end of the input ends it";
  }

  std::vector<OptionRow> options() override {
    std::vector<OptionRow> rows = {
        {"--system", &system_,
         "the system message (default: the one of the model's template)"},
        {"-n,--tokens", &tokens_,
         "tokens of an answer at most (default: until the model ends it)"},
        {"--no-thinking", &noThinking_,
         "answer at once, where the model's template lets one choose"},
        drafting_.row()};
    for (const OptionRow &row : sampling_.rows())
      rows.push_back(row);
    for (const OptionRow &row : model_.rows())
      rows.push_back(row);
    return rows;
  }

  Status run() override {
    if (tokens_ && *tokens_ < 1)
      return Status::invalid("-n is %lld; it is at least 1",
                             static_cast<long long>(*tokens_));
    Result<PromptLookup> lookup = drafting_.lookup(modelPlan());
    if (!lookup.ok())
      return lookup.status();
    Result<std::unique_ptr<Model>> opened = Model::open(model_);
    if (!opened.ok())
      return opened.status();
    Model &model = **opened;
    Result<Generation> generation =
        Generation::parse(model.weights.generation());
    if (!generation.ok())
      return generation.status().at(model.weights.path());
    Result<Tokenizer> tokenizer = openTokenizer(model.weights);
    if (!tokenizer.ok())
      return tokenizer.status();
    Result<ChatTemplate> chat = ChatTemplate::parse(generation->chatTemplate);
    if (!chat.ok())
      return chat.status().at(model.weights.path());
    Result<SamplerOptions> options = sampling_.resolve(*generation);
    if (!options.ok())
      return options.status();
    Sampler sampler(*options, model.plan.vocab_size);
    forbidNonTokens(sampler, *tokenizer, model.plan.vocab_size);
    return converse(model, sampler, *tokenizer, *chat, generation->stops,
                    *lookup);
  }

private:
  Status converse(Model &model, Sampler &sampler, const Tokenizer &tokenizer,
                  const ChatTemplate &chat, const StopTokens &stops,
                  PromptLookup &lookup) {
    const bool interactive = isatty(STDIN_FILENO);
    LineReader lines;
    std::vector<ChatMessage> messages = opening();
    for (;;) {
      if (interactive)
        if (Status status = writeOutput("> "); !status.ok())
          return status;
      Result<std::optional<std::string>> line = lines.next();
      if (!line.ok() || !*line) {
        if (interactive)
          (void)writeOutput("\n");
        return line.status();
      }
      if (**line == "/quit")
        return {};
      if (**line == "/reset")
        messages = opening();
      if (line->value().empty() || **line == "/reset")
        continue;
      messages.push_back({"user", **line});
      Result<std::string> answer =
          reply(model, sampler, tokenizer, chat, stops, messages, lookup);
      if (answer.ok()) {
        messages.push_back({"assistant", *answer});
      } else {
        // What the user may repair by saying less does not end the conversation
        // of a person.
        if (answer.status().code() != Code::kInvalid)
          return answer.status();
        Status status = Status::invalid("%s; /reset starts anew",
                                        answer.status().text().c_str());
        if (!interactive)
          return status;
        fprintf(stderr, "error: %s\n", status.text().c_str());
        messages.pop_back();
      }
      if (cancellationRequested()) {
        if (!interactive)
          return Status::cancelled();
        clearCancellation();
      }
    }
  }

  std::vector<ChatMessage> opening() const {
    return system_ ? std::vector<ChatMessage>{{"system", *system_}}
                   : std::vector<ChatMessage>();
  }

  // Writes the answer to `messages` as it comes, and returns it.
  Result<std::string> reply(Model &model, Sampler &sampler,
                            const Tokenizer &tokenizer,
                            const ChatTemplate &chat, const StopTokens &stops,
                            const std::vector<ChatMessage> &messages,
                            PromptLookup &lookup) {
    Result<std::vector<int32_t>> ids =
        encodeChat(chat, tokenizer, messages, !noThinking_);
    if (!ids.ok())
      return ids.status();
    Detokenizer detokenizer(tokenizer, /*skipSpecial=*/true);
    std::string answer;
    auto show = [&](const std::string &text) {
      answer += text;
      return writeOutput(text);
    };
    Result<Ending> ending = generate(
        *model.session, sampler, stops, *ids, tokens_.value_or(-1),
        [&](int32_t id) {
          return stops.contains(id) ? Status() : show(detokenizer.push(id));
        },
        lookup);
    if (!ending.ok())
      return ending.status();
    if (Status status = show(detokenizer.finish()); !status.ok())
      return status;
    if (Status status = writeOutput("\n"); !status.ok())
      return status;
    if (*ending == Ending::kContextFull)
      fprintf(stderr,
              "note: the context of %lld tokens is full; /reset starts anew\n",
              static_cast<long long>(model.plan.context));
    return answer;
  }

  std::optional<std::string> system_;
  std::optional<int64_t> tokens_;
  bool noThinking_ = false;
  SamplingOptions sampling_;
  DraftingOptions drafting_;
  ModelOptions model_;
};

} // namespace

std::unique_ptr<Command> commands::chat() {
  return std::make_unique<ChatCommand>();
}

} // namespace qwen
