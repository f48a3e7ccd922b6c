// Perplexity.cpp - `perplexity`: how well the model predicts a text.
#include "runtime/cli/Files.h"
#include "runtime/cli/Ids.h"
#include "runtime/cli/Model.h"
#include "runtime/cli/Text.h"

#include <algorithm>
#include <cmath>

namespace qwen {
namespace {

// -log of the softmax probability of `id`.
double surprise(const float *logits, int64_t count, int32_t id) {
  float most = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += std::exp(double{logits[i]} - most);
  return std::log(sum) + most - logits[id];
}

class PerplexityCommand : public Command {
public:
  const char *name() const override { return "perplexity"; }
  const char *help() const override {
    return "exp of the mean surprise at a text's tokens, in windows that do "
           "not overlap; the first token of each window "
           "is not predicted";
  }

  std::vector<OptionRow> options() override {
    std::vector<OptionRow> rows = {
        {"file", &textPath_, "the text; `-` is the standard input"},
        {"--ids", &idsPath_, "file of token ids instead of a text"},
        {"--window", &window_, "tokens of a window (default: the context)"}};
    for (const OptionRow &row : model_.rows())
      rows.push_back(row);
    return rows;
  }

  Status run() override {
    if (textPath_.empty() == idsPath_.empty())
      return Status::invalid(textPath_.empty()
                                 ? "no text; give a file, or --ids FILE"
                                 : "a text and --ids; give one of them");
    int64_t context = modelPlan().context;
    int64_t window = window_.value_or(context);
    if (window < 2 || window > context)
      return Status::invalid("--window is %lld; it is 2 to %lld",
                             static_cast<long long>(window),
                             static_cast<long long>(context));
    Result<std::unique_ptr<Model>> model = Model::open(model_);
    if (!model.ok())
      return model.status();
    Result<std::vector<int32_t>> ids = given((*model)->weights);
    if (!ids.ok())
      return ids.status();
    if (ids->size() < 2)
      return Status::invalid("%zu tokens; at least 2 are needed", ids->size());
    return measure(*(*model)->session, *ids, window);
  }

private:
  Result<std::vector<int32_t>> given(const Weights &weights) const {
    if (!idsPath_.empty())
      return readIds(idsPath_, modelPlan().vocab_size);
    Result<Tokenizer> tokenizer = openTokenizer(weights, "; use --ids");
    if (!tokenizer.ok())
      return tokenizer.status();
    Result<std::string> text = readFile(textPath_);
    if (!text.ok())
      return text.status();
    return encodeText(*tokenizer, *text);
  }

  Status measure(Session &session, std::span<const int32_t> ids,
                 int64_t window) const {
    double sum = 0;
    int64_t predicted = 0;
    auto count = static_cast<int64_t>(ids.size());
    // A last window of one token predicts nothing.
    for (int64_t start = 0; start + 1 < count; start += window) {
      int64_t end = std::min(count, start + window);
      auto inputs = ids.subspan(static_cast<size_t>(start),
                                static_cast<size_t>(end - start - 1));
      session.truncate(0);
      Status status = session.prefillAllLogits(
          inputs, [&](int64_t index, const float *logits) -> Status {
            double nats = surprise(logits, session.plan().vocab_size,
                                   ids[static_cast<size_t>(start + index + 1)]);
            if (!std::isfinite(nats))
              return Status::internal(
                  "the logits of position %lld are not finite",
                  static_cast<long long>(index));
            sum += nats;
            ++predicted;
            return {};
          });
      if (!status.ok())
        return status;
      fprintf(stderr, "%lld of %lld tokens: %.4f\n",
              static_cast<long long>(end), static_cast<long long>(count),
              std::exp(sum / static_cast<double>(predicted)));
    }
    char line[128];
    snprintf(line, sizeof(line),
             "perplexity %.4f over %lld predicted tokens of %lld\n",
             std::exp(sum / static_cast<double>(predicted)),
             static_cast<long long>(predicted), static_cast<long long>(count));
    return writeOutput(line);
  }

  std::string textPath_, idsPath_;
  std::optional<int64_t> window_;
  ModelOptions model_;
};

} // namespace

std::unique_ptr<Command> commands::perplexity() {
  return std::make_unique<PerplexityCommand>();
}

} // namespace qwen
