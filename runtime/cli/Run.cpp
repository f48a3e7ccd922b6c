// Run.cpp - `run`: one prompt, one answer, as text or as token ids.
#include "runtime/cli/Drafting.h"
#include "runtime/cli/Files.h"
#include "runtime/cli/Ids.h"
#include "runtime/cli/Model.h"
#include "runtime/cli/Sampling.h"
#include "runtime/cli/Text.h"
#include "runtime/core/Detokenizer.h"
#include "runtime/core/Generator.h"

#include <chrono>
#include <cstdio>

namespace qwen {
namespace {

class RunCommand : public Command {
public:
  const char *name() const override { return "run"; }
  const char *help() const override { return "continue a prompt"; }

  std::vector<OptionRow> options() override {
    std::vector<OptionRow> rows = {
        {"prompt", &prompt_,
         "text to continue, as it is; `-` is the standard input"},
        {"--ids", &idsPath_,
         "file of token ids instead of a prompt, separated by blanks or "
         "commas; `-` is the input"},
        {"--output-ids", &outputIds_,
         "write token ids, on one line, instead of text; a stop token is among "
         "them"},
        {"--chat", &chat_,
         "put the prompt into the model's chat template, as the user's "
         "message"},
        {"--no-thinking", &noThinking_,
         "with --chat: answer at once, where the model's template lets one "
         "choose"},
        {"-n,--tokens", &tokens_,
         "tokens to generate at most (default: until a stop token or the "
         "context is full)"},
        {"--ignore-stop", &ignoreStop_, "go on after stop tokens"},
        drafting_.row(),
        {"--all-logits", &allLogits_,
         "compute every logit for every token; the tokens are the same"},
        {"--stats", &stats_, "tell tokens, steps and times on standard error"}};
    for (const OptionRow &row : sampling_.rows())
      rows.push_back(row);
    for (const OptionRow &row : model_.rows())
      rows.push_back(row);
    return rows;
  }

  Status run() override {
    if (prompt_.has_value() == idsPath_.has_value())
      return Status::invalid(prompt_ ? "a prompt and --ids; give one of them"
                                     : "no prompt; give a text or --ids FILE");
    if (tokens_ && *tokens_ < 0)
      return Status::invalid("-n is %lld; it is at least 0",
                             static_cast<long long>(*tokens_));
    if (chat_ && !prompt_)
      return Status::invalid("--chat takes a text, not --ids");
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
    bool needsText = prompt_ || !outputIds_;
    if (needsText && model.weights.tokenizer().empty())
      return openTokenizer(model.weights,
                           prompt_ ? "; use --ids" : "; use --output-ids")
          .status();
    Result<std::optional<Tokenizer>> tokenizer =
        openTokenizerIfAny(model.weights);
    if (!tokenizer.ok())
      return tokenizer.status();
    Result<std::vector<int32_t>> ids =
        promptIds(model.weights, *tokenizer, *generation);
    if (!ids.ok())
      return ids.status();
    Result<SamplerOptions> options = sampling_.resolve(*generation);
    if (!options.ok())
      return options.status();
    Sampler sampler(*options, model.plan.vocab_size);
    if (*tokenizer)
      forbidNonTokens(sampler, **tokenizer, model.plan.vocab_size);
    if (allLogits_)
      model.session->screening().stop();
    return answer(model, sampler, *tokenizer,
                  ignoreStop_ ? StopTokens() : generation->stops, *ids,
                  *lookup);
  }

private:
  Result<std::vector<int32_t>>
  promptIds(const Weights &weights, const std::optional<Tokenizer> &tokenizer,
            const Generation &generation) {
    if (idsPath_)
      return readIds(*idsPath_, modelPlan().vocab_size);
    if (*prompt_ == "-") {
      Result<std::string> text = readFile("-");
      if (!text.ok())
        return text.status();
      *prompt_ = std::move(*text);
    }
    if (!chat_)
      return encodeText(*tokenizer, *prompt_);
    Result<ChatTemplate> chat = ChatTemplate::parse(generation.chatTemplate);
    if (!chat.ok())
      return chat.status().at(weights.path());
    return encodeChat(*chat, *tokenizer, {{"user", *prompt_}}, !noThinking_);
  }

  Status answer(Model &model, Sampler &sampler,
                const std::optional<Tokenizer> &tokenizer,
                const StopTokens &stops, const std::vector<int32_t> &ids,
                PromptLookup &lookup) {
    std::optional<Detokenizer> detokenizer;
    if (!outputIds_)
      detokenizer.emplace(*tokenizer, /*skipSpecial=*/true);
    int64_t count = 0;
    const auto start = std::chrono::steady_clock::now();
    auto begun = start;
    Result<Ending> ending = generate(
        *model.session, sampler, stops, ids, tokens_.value_or(-1),
        [&](int32_t id) -> Status {
          if (++count == 1)
            begun = std::chrono::steady_clock::now();
          if (detokenizer)
            return stops.contains(id) ? Status()
                                      : writeOutput(detokenizer->push(id));
          return writeOutput((count == 1 ? "" : " ") + std::to_string(id));
        },
        lookup);
    if (!ending.ok())
      return ending.status();
    const std::chrono::duration<double> prefill = begun - start,
                                        decode =
                                            std::chrono::steady_clock::now() -
                                            begun;
    if (Status status =
            writeOutput((detokenizer ? detokenizer->finish() : "") + "\n");
        !status.ok())
      return status;
    if (stats_)
      tell(ids.size(), prefill.count(), count, decode.count(), lookup,
           model.session->screening());
    if (*ending == Ending::kContextFull)
      fprintf(stderr, "note: the context of %lld tokens is full\n",
              static_cast<long long>(model.plan.context));
    return *ending == Ending::kCancelled ? Status::cancelled() : Status();
  }

  static void tell(size_t prompt, double prefill, int64_t count, double decode,
                   const PromptLookup &lookup, const Screening &screening) {
    using ll = long long;
    fprintf(stderr,
            "prompt: %zu tokens, %.3f s; answer: %lld tokens, %lld steps, "
            "%.3f s; %lld of %lld drafted tokens right\n",
            prompt, prefill, static_cast<ll>(count),
            static_cast<ll>(lookup.steps()), decode,
            static_cast<ll>(lookup.accepted()),
            static_cast<ll>(lookup.drafted()));
    if (screening.steps() > 0)
      fprintf(stderr,
              "screened head: %lld steps, %lld of them again for all logits, "
              "%.0f rows scored each\n",
              static_cast<ll>(screening.steps()),
              static_cast<ll>(screening.missed()),
              static_cast<double>(screening.rows()) /
                  static_cast<double>(screening.steps()));
  }

  std::optional<std::string> prompt_, idsPath_;
  std::optional<int64_t> tokens_;
  bool outputIds_ = false, chat_ = false, ignoreStop_ = false,
       noThinking_ = false, stats_ = false, allLogits_ = false;
  SamplingOptions sampling_;
  DraftingOptions drafting_;
  ModelOptions model_;
};

} // namespace

std::unique_ptr<Command> commands::run() {
  return std::make_unique<RunCommand>();
}

} // namespace qwen
