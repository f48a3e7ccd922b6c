// Detokenize.cpp - `detokenize`: the text of token ids.
#include "runtime/cli/Files.h"
#include "runtime/cli/Ids.h"
#include "runtime/cli/Model.h"
#include "runtime/cli/Text.h"

namespace qwen {
namespace {

class DetokenizeCommand : public Command {
public:
  const char *name() const override { return "detokenize"; }
  const char *help() const override {
    return "write the text of token ids, and nothing else";
  }

  std::vector<OptionRow> options() override {
    return {
        {"tokens", &words_,
         "token ids, separated by blanks or commas; `-` is the standard input"},
        {"--ids", &path_, "file of token ids instead"},
        {"--skip-special", &skipSpecial_, "leave special tokens out"},
        model_.weightsRow()};
  }

  Status run() override {
    if (words_.empty() == path_.empty())
      return Status::invalid(words_.empty()
                                 ? "no ids; give some, or --ids FILE"
                                 : "ids and --ids; give one of them");
    Result<Weights> weights = Weights::open(modelPlan(), model_.weights);
    if (!weights.ok())
      return weights.status();
    Result<Tokenizer> tokenizer = openTokenizer(*weights);
    if (!tokenizer.ok())
      return tokenizer.status();
    Result<std::vector<int32_t>> ids = given();
    if (!ids.ok())
      return ids.status();
    return writeOutput(tokenizer->decode(*ids, skipSpecial_));
  }

private:
  Result<std::vector<int32_t>> given() const {
    int64_t vocabSize = modelPlan().vocab_size;
    if (!path_.empty())
      return readIds(path_, vocabSize);
    if (words_.size() == 1 && words_[0] == "-")
      return readIds("-", vocabSize);
    std::string text;
    for (const std::string &word : words_)
      text += (text.empty() ? "" : " ") + word;
    return parseIds(text, "ids", vocabSize);
  }

  std::vector<std::string> words_;
  std::string path_;
  bool skipSpecial_ = false;
  ModelOptions model_;
};

} // namespace

std::unique_ptr<Command> commands::detokenize() {
  return std::make_unique<DetokenizeCommand>();
}

} // namespace qwen
