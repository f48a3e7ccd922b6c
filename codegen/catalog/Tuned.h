// Tuned.h - schedule files with the figures they rest on: what `tune` writes,
// resumes from, merges and reports.
//
// Units   microseconds of one call of a kernel
#pragma once

#include "codegen/catalog/Catalog.h"

namespace qwen {

/// One point that was tried; failed when it did not compile, crashed or was
/// wrong.
struct TunedTrial {
  std::vector<int64_t> point;
  double microseconds = 0;
  bool failed = false;
};

/// One kernel's search. In JSON an entry of a schedule file's "points":
/// {"kernel", "options", "dims", "point", "measured": {"us", "default",
/// "default_us", "roof_us", "bytes", "products", "read_rate",
/// "product_rate", "calls", "threads", "machine", "version", "trials":
/// [[point, us or null], ...]}}.
struct TunedKernel {
  KernelSymbol symbol;            // at the winning point
  std::vector<std::string> knobs; // names, in the points' order
  std::vector<int64_t> defaultPoint;
  double microseconds = 0, defaultMicroseconds = 0;
  double roofMicroseconds = 0;     // what memory and multipliers allow
  int64_t bytes = 0, products = 0; // of one call: weights, multiplications
  double readRate = 0;             // bytes a second that memory gives a core
  double productRate = 0;          // multiplications a second of a core
  int64_t calls = 0;               // in one step of the model
  std::vector<int64_t> threads;
  std::string machine, version;
  std::vector<TunedTrial> trials; // in the order tried
};

/// One value of a choice of the steps, beside the best before it.
struct StepTrial {
  std::string choice; // key of kStepChoices
  int64_t value = 0;
  double decodeRatio = 1, prefillRatio = 1; // speed over that of the best
  bool kept = false;
};

/// The choices of a model's steps, and what they gave. In JSON "measured":
/// {"machine", "decode_ratio", "prefill_ratio", "trials": [[choice, value,
/// decode ratio, prefill ratio, kept], ...]}.
struct TunedModel {
  ScheduleFile::Model choices;
  std::string machine;
  double decodeRatio = 1, prefillRatio = 1; // speed over the default's
  std::vector<StepTrial> trials;            // in the order tried
};

struct TunedFile {
  std::string target;
  std::vector<TunedKernel> kernels;
  std::vector<TunedModel> models;
  int64_t stale = 0, foreign = 0; // left out by parse
  int64_t unmeasured = 0;         // entries without figures, left out too

  /// Entries of another version, and of another machine when `machine` is
  /// given, are left out and counted; entries without figures too.
  static std::optional<TunedFile> parse(std::string_view json,
                                        const KernelCatalog &catalog,
                                        std::string &error,
                                        std::string_view machine = {});
  std::string str() const;
  std::string ignoredNote() const; // as ScheduleFile's

  /// The entry of a symbol whatever its point; null when there is none.
  const TunedKernel *find(const KernelSymbol &symbol) const;
  /// Replaces the entry of the same kernel, options and dims, or adds one.
  void put(const TunedKernel &kernel);
  void put(const TunedModel &model);
  /// Takes what `other` has; of two measurements of one kernel the one with the
  /// larger gain over its default wins.
  void merge(const TunedFile &other);
};

/// "<target>-<cpu>.json" with nothing but lower-case letters, digits and '-'.
std::string tunedFileName(std::string_view target, std::string_view cpu);

} // namespace qwen
