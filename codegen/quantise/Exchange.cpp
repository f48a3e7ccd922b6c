// Exchange.cpp - greedy steps, then pairs.
#include "codegen/quantise/Exchange.h"

#include <cstddef>
#include <limits>

namespace qwen::quantise {
namespace {

class Exchanger {
public:
  Exchanger(const std::vector<std::vector<Choice>> &parts, int64_t bytes)
      : parts(parts), chosen(parts.size()), left(bytes) {
    for (size_t i = 0; i < parts.size(); ++i) {
      const std::vector<Choice> &choices = parts[i];
      for (size_t j = 1; j < choices.size(); ++j) {
        const Choice &least = choices[size_t(chosen[i])];
        if (choices[j].bytes < least.bytes ||
            (choices[j].bytes == least.bytes && choices[j].loss < least.loss))
          chosen[i] = int64_t(j);
      }
      left -= now(i).bytes;
    }
  }

  std::vector<int64_t> run() {
    // Every step lowers the loss, so none comes twice.
    while (step() || pair())
      ;
    return chosen;
  }

private:
  const std::vector<std::vector<Choice>> &parts;
  std::vector<int64_t> chosen;
  int64_t left;

  const Choice &now(size_t part) const {
    return parts[part][size_t(chosen[part])];
  }

  void take(size_t part, size_t choice) {
    left += now(part).bytes;
    chosen[part] = int64_t(choice);
    left -= now(part).bytes;
  }

  bool step() {
    double best = 0;
    size_t part = 0, choice = 0;
    for (size_t i = 0; i < parts.size(); ++i)
      for (size_t j = 0; j < parts[i].size(); ++j) {
        const int64_t more = parts[i][j].bytes - now(i).bytes;
        const double saved = now(i).loss - parts[i][j].loss;
        if (!(saved > 0) || more > left)
          continue;
        const double rate = more > 0 ? saved / double(more)
                                     : std::numeric_limits<double>::max();
        if (rate > best) {
          best = rate;
          part = i;
          choice = j;
        }
      }
    if (best > 0)
      take(part, choice);
    return best > 0;
  }

  /// One part gets more bytes, another fewer.
  bool pair() {
    double best = 0;
    size_t part = 0, choice = 0, other = 0, otherChoice = 0;
    for (size_t i = 0; i < parts.size(); ++i)
      for (size_t j = 0; j < parts[i].size(); ++j) {
        const double saved = now(i).loss - parts[i][j].loss;
        if (!(saved > best))
          continue;
        for (size_t m = 0; m < parts.size(); ++m)
          for (size_t n = 0; m != i && n < parts[m].size(); ++n) {
            const int64_t more = parts[i][j].bytes - now(i).bytes +
                                 parts[m][n].bytes - now(m).bytes;
            const double all = saved + now(m).loss - parts[m][n].loss;
            if (more <= left && all > best) {
              best = all;
              part = i;
              choice = j;
              other = m;
              otherChoice = n;
            }
          }
      }
    if (!(best > 0))
      return false;
    take(part, choice);
    take(other, otherChoice);
    return true;
  }
};

} // namespace

std::vector<int64_t>
exchangeFormats(const std::vector<std::vector<Choice>> &parts, int64_t bytes) {
  return Exchanger(parts, bytes).run();
}

} // namespace qwen::quantise
