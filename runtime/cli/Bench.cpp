// Bench.cpp - `bench`: speed of prefill and decode, beside what the memory
// gives in the same minute.
//
// Units  tok/s tokens a second; GB/s 10^9 bytes a second; decode reads the
// plan's weight bytes and the cache of the
//        tokens before, once a token
#include "runtime/cli/Files.h"
#include "runtime/cli/Model.h"
#include "runtime/cli/ReadSpeed.h"
#include "runtime/core/Cancellation.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace qwen {
namespace {

using ll = long long;

struct Row {
  int64_t prompt, generate, depth, threads;
  double prefill = 0, decode = 0, load = 0, rssMb = 0, read = 0, roof = 0;
  int64_t barriers = 0; // of one decoded token
  double rescored = 0;  // rows of logits a token, mean; 0: all, unscreened
  int64_t mostRescored = 0;
};

double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle]
                           : (values[middle - 1] + values[middle]) / 2;
}

// A line of /proc/self/status, "VmHWM:   1234 kB", in bytes; 0 if there is
// none.
double processBytes(const char *key) {
  double kilobytes = 0;
  Result<std::string> text = readFile("/proc/self/status");
  if (text.ok())
    if (size_t at = text->find(key); at != std::string::npos)
      kilobytes = strtod(text->c_str() + at + strlen(key), nullptr);
  return kilobytes * 1024;
}

// Ids all over the vocabulary, the same in every run.
std::vector<int32_t> someIds(int64_t count) {
  std::vector<int32_t> ids;
  uint64_t state = 1;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(static_cast<int32_t>(
        (state >> 33) % static_cast<uint64_t>(modelPlan().vocab_size)));
  }
  return ids;
}

class BenchCommand : public Command {
public:
  const char *name() const override { return "bench"; }
  const char *help() const override {
    return "measure prefill and decode, beside the memory's read speed";
  }

  std::vector<OptionRow> options() override {
    return {{"-p,--prompt", &prompt_,
             "tokens to prefill (default: 512, or what the context holds)"},
            {"-n,--generate", &generate_,
             "tokens to decode (default: 128, or what the context holds)"},
            {"--depth", &depths_,
             "tokens in the cache before, a list (default: 0)"},
            {"-t,--threads", &threads_,
             "threads, a list (default: the physical cores that this process "
             "may use)"},
            {"-r,--repetitions", &repetitions_,
             "runs of each; medians are told (default: 3)"},
            {"--json", &json_, "as JSON"},
            model_.weightsRow()};
  }

  Status run() override {
    if (threads_.empty()) {
      Result<int64_t> threads = model_.teamThreads();
      if (!threads.ok())
        return threads.status();
      threads_ = {*threads};
    }
    if (depths_.empty())
      depths_ = {0};
    Result<std::vector<Row>> planned = plannedRows();
    if (!planned.ok())
      return planned.status();
    std::vector<Row> &rows = *planned;
    for (size_t first = 0; first < rows.size(); first += depths_.size()) {
      std::span<Row> sameThreads(rows.data() + first, depths_.size());
      if (Status status = measure(sameThreads); !status.ok())
        return status;
    }
    return writeOutput(json_ ? asJson(rows) : asTable(rows));
  }

private:
  Result<std::vector<Row>> plannedRows() {
    int64_t context = modelPlan().context;
    if (repetitions_.value_or(1) < 1 || repetitions_.value_or(1) > 1000)
      return Status::invalid("-r is %lld; it is 1 to 1000",
                             static_cast<ll>(*repetitions_));
    std::vector<Row> rows;
    for (int64_t threads : threads_) {
      if (threads < 1 || threads > kMaxThreads)
        return Status::invalid("-t is %lld; it is 1 to %lld",
                               static_cast<ll>(threads),
                               static_cast<ll>(kMaxThreads));
      for (int64_t depth : depths_) {
        if (depth < 0 || depth >= context)
          return Status::invalid("--depth is %lld; it is 0 to %lld",
                                 static_cast<ll>(depth),
                                 static_cast<ll>(context - 1));
        Row row{prompt_.value_or(std::min<int64_t>(512, context - depth)),
                generate_.value_or(std::min<int64_t>(128, context - depth)),
                depth, threads};
        for (auto [flag, count] :
             {std::pair("-p", row.prompt), std::pair("-n", row.generate)})
          if (count < 0 || count > context - depth)
            return Status::invalid(
                "%s is %lld; after %lld tokens the context of %lld has room "
                "for 0 to %lld",
                flag, static_cast<ll>(count), static_cast<ll>(depth),
                static_cast<ll>(context), static_cast<ll>(context - depth));
        rows.push_back(row);
      }
    }
    return rows;
  }

  // All rows have one number of threads, so one team and one session serve
  // them.
  Status measure(std::span<Row> rows) {
    ModelOptions options = model_;
    options.threads = rows[0].threads;
    double start = nowSeconds();
    Result<std::unique_ptr<Model>> opened = Model::open(options);
    if (!opened.ok())
      return opened.status();
    double load = nowSeconds() - start;
    Model &model = **opened;
    for (Row &row : rows) {
      row.load = load;
      if (Status status = measureRow(model, row); !status.ok())
        return status;
    }
    return {};
  }

  Status measureRow(Model &model, Row &row) {
    Session &session = *model.session;
    session.truncate(0);
    if (row.depth > 0)
      if (Status status = session.prefill(someIds(row.depth)); !status.ok())
        return status;
    // One run of each unmeasured: it brings weights and buffers into memory.
    double ignored = 0;
    if (Status status = runOnce(model, row, ignored, ignored); !status.ok())
      return status;
    // The benchmark's own buffer is no part of what the model needs.
    double buffer = readSpeed_ ? static_cast<double>(readSpeed_->bytes()) : 0;
    double peak = readSpeed_ ? 0 : processBytes("VmHWM:");
    row.rssMb = std::max(peak, processBytes("VmRSS:") - buffer) * 1e-6;
    if (!readSpeed_) {
      Result<ReadSpeed> created = ReadSpeed::create(*model.team);
      if (!created.ok())
        return created.status();
      readSpeed_ = std::move(*created);
    }
    std::vector<double> prefills, decodes, roofs;
    row.rescored = 0;
    row.mostRescored = 0;
    for (int64_t i = 1, count = repetitions_.value_or(3); i <= count; ++i) {
      double prefill = 0, decode = 0;
      roofs.push_back(readSpeed_->measure(*model.team, kRoofSeconds));
      if (Status status = runOnce(model, row, prefill, decode); !status.ok())
        return status;
      roofs.push_back(readSpeed_->measure(*model.team, kRoofSeconds));
      prefills.push_back(prefill);
      decodes.push_back(decode);
      fprintf(stderr,
              "%lld threads, depth %lld, run %lld of %lld: prefill %.1f tok/s, "
              "decode %.1f tok/s, memory %.1f GB/s\n",
              static_cast<ll>(row.threads), static_cast<ll>(row.depth),
              static_cast<ll>(i), static_cast<ll>(count), prefill, decode,
              (roofs[roofs.size() - 2] + roofs.back()) / 2);
    }
    if (row.generate > 0) {
      const int64_t before = model.team->barriers();
      if (Status status = session.decode(someIds(1)[0], Logits::kGreedy);
          !status.ok())
        return status;
      row.barriers = model.team->barriers() - before;
      session.truncate(row.depth);
    }
    row.prefill = median(prefills);
    row.decode = median(decodes);
    row.roof = median(roofs);
    double cached =
        static_cast<double>(row.depth) + static_cast<double>(row.generate) / 2;
    const qwen_plan &plan = model.plan;
    double weights =
        plan.decode_screened
            ? static_cast<double>(plan.screened_bytes) +
                  row.rescored * static_cast<double>(plan.rescored_row_bytes)
            : static_cast<double>(plan.decode_bytes);
    row.read =
        row.decode * 1e-9 *
        (weights + cached * static_cast<double>(model.plan.cache_token_bytes));
    return {};
  }

  Status runOnce(Model &model, Row &row, double &prefill,
                 double &decode) const {
    Session &session = *model.session;
    session.truncate(row.depth);
    if (row.prompt > 0) {
      std::vector<int32_t> ids = someIds(row.prompt);
      double start = nowSeconds();
      if (Status status = session.prefill(ids); !status.ok())
        return status;
      prefill = static_cast<double>(row.prompt) / (nowSeconds() - start);
    }
    session.truncate(row.depth);
    if (row.generate > 0) {
      int32_t id = someIds(1)[0];
      double seconds = 0;
      int64_t rescored = 0;
      for (int64_t i = 0; i < row.generate; ++i) {
        if (cancellationRequested())
          return Status::cancelled();
        double start = nowSeconds();
        if (Status status = session.decode(id, Logits::kGreedy); !status.ok())
          return status;
        id = session.greedyToken();
        seconds += nowSeconds() - start;
        if (model.plan.decode_screened) {
          rescored += session.computedLogits();
          row.mostRescored =
              std::max(row.mostRescored, session.computedLogits());
        }
      }
      decode = static_cast<double>(row.generate) / seconds;
      row.rescored =
          static_cast<double>(rescored) / static_cast<double>(row.generate);
    }
    session.truncate(row.depth);
    return {};
  }

  static std::string asJson(const std::vector<Row> &rows) {
    nlohmann::ordered_json results = nlohmann::ordered_json::array();
    for (const Row &row : rows)
      results.push_back({{"prompt", row.prompt},
                         {"generate", row.generate},
                         {"depth", row.depth},
                         {"threads", row.threads},
                         {"prefill_tok_s", row.prefill},
                         {"decode_tok_s", row.decode},
                         {"barriers_per_token", row.barriers},
                         {"load_s", row.load},
                         {"peak_rss_mb", row.rssMb},
                         {"read_gb_s", row.read},
                         {"roof_gb_s", row.roof},
                         {"rescored_rows", row.rescored},
                         {"rescored_rows_most", row.mostRescored}});
    return nlohmann::ordered_json({{"results", results}}).dump(2) + "\n";
  }

  static std::string asTable(const std::vector<Row> &rows) {
    std::string text = "threads  depth  prompt  prefill tok/s  generate  "
                       "decode tok/s   GB/s  % of memory's  load s  RSS MB  "
                       "rescored\n";
    for (const Row &row : rows) {
      char line[256];
      snprintf(line, sizeof(line),
               "%7lld  %5lld  %6lld  %13.1f  %8lld  %12.1f  %5.1f  %5.0f of "
               "%4.1f  %6.3f  %6.0f  %8.0f\n",
               static_cast<ll>(row.threads), static_cast<ll>(row.depth),
               static_cast<ll>(row.prompt), row.prefill,
               static_cast<ll>(row.generate), row.decode, row.read,
               100 * row.read / row.roof, row.roof, row.load, row.rssMb,
               row.rescored);
      text += line;
    }
    return text;
  }

  static constexpr double kRoofSeconds = 0.1;

  std::optional<int64_t> prompt_, generate_, repetitions_;
  std::vector<int64_t> depths_, threads_;
  bool json_ = false;
  ModelOptions model_;
  std::optional<ReadSpeed> readSpeed_;
};

} // namespace

std::unique_ptr<Command> commands::bench() {
  return std::make_unique<BenchCommand>();
}

} // namespace qwen
