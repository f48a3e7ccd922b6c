// Progress.cpp - one line a kernel.
#include "tools/qwenc-kernel/tune/Progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <unistd.h>

namespace qwen {
namespace {

std::string nameOf(const KernelSymbol &symbol) {
  std::string text = symbol.kernel;
  for (const std::string &option : symbol.options)
    text += " " + option;
  for (const auto &[name, value] : symbol.dims)
    text += " " + name + std::to_string(value);
  return text;
}

} // namespace

Progress::Progress(double budgetSeconds)
    : budget(budgetSeconds), terminal(isatty(STDERR_FILENO) != 0) {}

void Progress::clear() {
  if (terminal)
    std::fputs("\r\033[K", stderr);
}

std::string Progress::left(double elapsed) const {
  const auto rest = int64_t(std::max(0.0, budget - elapsed));
  char text[32];
  std::snprintf(text, sizeof(text), "%d:%02d left", int(rest / 60),
                int(rest % 60));
  return text;
}

void Progress::working(const KernelSymbol &symbol, double elapsed) {
  if (!terminal)
    return;
  clear();
  std::fprintf(stderr, "[%d/%d] %s, %s", int(done + 1), int(total),
               nameOf(symbol).c_str(), left(elapsed).c_str());
  std::fflush(stderr);
}

void Progress::kernel(const TunedKernel &kernel, double elapsed) {
  clear();
  ++done;
  char roof[48] = "";
  if (kernel.roofMicroseconds > 0)
    std::snprintf(roof, sizeof(roof), ", %.0f%% of the roof",
                  100 * kernel.roofMicroseconds / kernel.microseconds);
  std::fprintf(
      stderr, "[%d/%d] %s: %.1f us%s, %.2fx the default, %d tried, %s\n",
      int(done), int(total), nameOf(kernel.symbol).c_str(), kernel.microseconds,
      roof, kernel.defaultMicroseconds / kernel.microseconds,
      int(kernel.trials.size()), left(elapsed).c_str());
}

void Progress::note(const std::string &text) {
  clear();
  std::fprintf(stderr, "note: %s\n", text.c_str());
}

void Progress::finish(const TunedFile &file, bool interrupted,
                      int64_t unreached, int64_t fixedKernels,
                      const std::string &path) {
  clear();
  double logs = 0;
  for (const TunedKernel &kernel : file.kernels)
    logs += std::log(kernel.defaultMicroseconds / kernel.microseconds);
  if (interrupted)
    std::fprintf(stderr, "interrupted; ");
  std::fprintf(stderr, "%d of %d kernels are tuned in %s", int(done),
               int(total), path.c_str());
  if (!file.kernels.empty())
    std::fprintf(stderr, ", %.2fx the default (geometric mean)",
                 std::exp(logs / double(file.kernels.size())));
  std::fprintf(stderr, "\n");
  if (fixedKernels)
    std::fprintf(stderr, "note: %d more leave nothing to choose\n",
                 int(fixedKernels));
  if (unreached)
    std::fprintf(stderr,
                 "note: the budget ended before %d kernels; the same command "
                 "goes on\n",
                 int(unreached));
}

} // namespace qwen
