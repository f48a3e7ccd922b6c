// Tokenize.cpp - `tokenize`: the token ids of a text.
#include "runtime/cli/Files.h"
#include "runtime/cli/Model.h"
#include "runtime/cli/Text.h"

namespace qwen {
namespace {

class TokenizeCommand : public Command {
public:
  const char *name() const override { return "tokenize"; }
  const char *help() const override {
    return "write the token ids of a text, on one line";
  }

  std::vector<OptionRow> options() override {
    return {{"text", &text_, "the text; `-` is the standard input"},
            model_.weightsRow()};
  }

  Status run() override {
    if (!text_)
      return Status::invalid(
          "no text; give one, or `-` for the standard input");
    Result<Weights> weights = Weights::open(modelPlan(), model_.weights);
    if (!weights.ok())
      return weights.status();
    Result<Tokenizer> tokenizer = openTokenizer(*weights);
    if (!tokenizer.ok())
      return tokenizer.status();
    if (*text_ == "-") {
      Result<std::string> input = readFile("-");
      if (!input.ok())
        return input.status();
      *text_ = std::move(*input);
    }
    Result<std::vector<int32_t>> ids = encodeText(*tokenizer, *text_);
    if (!ids.ok())
      return ids.status();
    std::string line;
    for (int32_t id : *ids)
      line += (line.empty() ? "" : " ") + std::to_string(id);
    return writeOutput(line + "\n");
  }

private:
  std::optional<std::string> text_;
  ModelOptions model_;
};

} // namespace

std::unique_ptr<Command> commands::tokenize() {
  return std::make_unique<TokenizeCommand>();
}

} // namespace qwen
