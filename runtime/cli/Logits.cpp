// Logits.cpp - `logits`: the logits of every position, as a NumPy file.
#include "runtime/cli/Files.h"
#include "runtime/cli/Ids.h"
#include "runtime/cli/Model.h"
#include "runtime/cli/Npy.h"

namespace qwen {
namespace {

class LogitsCommand : public Command {
public:
  const char *name() const override { return "logits"; }
  const char *help() const override {
    return "write the logits of every position, [T, V] float32, as a NumPy "
           "file";
  }

  std::vector<OptionRow> options() override {
    std::vector<OptionRow> rows = {
        {"--ids", &idsPath_,
         "file of token ids, separated by blanks or commas; `-` is the "
         "standard input"},
        {"-o,--output", &output_, "the .npy file to write"}};
    for (const OptionRow &row : model_.rows())
      rows.push_back(row);
    return rows;
  }

  Status run() override {
    if (idsPath_.empty())
      return Status::invalid("no tokens; give --ids FILE");
    if (output_.empty())
      return Status::invalid("no output; give -o FILE");
    Result<std::vector<int32_t>> ids =
        readIds(idsPath_, modelPlan().vocab_size);
    if (!ids.ok())
      return ids.status();
    Result<std::unique_ptr<Model>> model = Model::open(model_);
    if (!model.ok())
      return model.status();
    Session &session = *(*model)->session;
    if (Status status = session.check(*ids, 0); !status.ok())
      return status;
    Result<NewFile> file = NewFile::create(output_);
    if (!file.ok())
      return file.status();
    int64_t columns = modelPlan().vocab_size;
    auto rowBytes = static_cast<size_t>(columns) * sizeof(float);
    std::string header = npyHeader(static_cast<int64_t>(ids->size()), columns);
    if (Status status = file->write(header.data(), header.size()); !status.ok())
      return status;
    Status status =
        session.prefillAllLogits(*ids, [&](int64_t index, const float *logits) {
          if (Status at = file->seek(static_cast<int64_t>(
                  header.size() + static_cast<size_t>(index) * rowBytes));
              !at.ok())
            return at;
          return file->write(logits, rowBytes);
        });
    if (!status.ok())
      return status;
    return file->finish();
  }

private:
  std::string idsPath_, output_;
  ModelOptions model_;
};

} // namespace

std::unique_ptr<Command> commands::logits() {
  return std::make_unique<LogitsCommand>();
}

} // namespace qwen
