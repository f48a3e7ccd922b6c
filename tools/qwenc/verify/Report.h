// Report.h - what a verification found, as text and as a page.
#pragma once

#include "tools/qwenc/verify/Judge.h"

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace qwen::verify {

/// Who is to blame, in the order of causes: the first one that is found is the
/// verdict, the others may follow from it.
enum class Blame {
  Checkpoint, // its tensors are not the reference's
  Frontend,   // the graph is not the reference's
  Pass,       // a pass changed the meaning
  Weights,    // packed values are not the checkpoint's
  Kernel,     // a kernel does not do its op
  Runtime,    // the same program gives different results
  Growth,     // no op is wrong, yet what they lose adds up to too much
};

struct Fault {
  Blame blame;
  std::string verdict; // "pass fuse-rope"
  std::string detail;  // lines
  bool ofTap = false;  // `detail` tells a tap with both values
};

struct Check {
  std::string name; // "kernels"
  bool good;
  std::string text;
};

class Report {
public:
  std::string title;
  std::vector<Check> checks;
  std::vector<Fault> faults;
  std::vector<TapScore> scores; // in the order of the step
  std::vector<std::string> nearTies;

  void add(std::string name, bool good, std::string text) {
    checks.push_back({std::move(name), good, std::move(text)});
  }
  /// The fault that explains the others; null when there is none.
  const Fault *verdict() const;

  std::string text() const;
  std::string html() const;

private:
  struct GrowthRow {
    std::vector<std::string> cells;
    bool beyond = false; // a bound
  };
  /// The table of error growth, its heading first: a row a layer, and one for
  /// each tap outside the layers.
  std::vector<GrowthRow> growth() const;
};

} // namespace qwen::verify
