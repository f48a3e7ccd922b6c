// Budget.cpp - a number and its unit.
#include "codegen/tuning/Budget.h"

#include <charconv>
#include <cstdint>

namespace qwen {

std::optional<double> parseBudget(std::string_view text, std::string &error) {
  constexpr int64_t kMostSeconds = int64_t{7} * 24 * 3600;
  int64_t value = 0;
  const auto [rest, code] = std::from_chars(text.begin(), text.end(), value);
  const std::string_view unit = text.substr(size_t(rest - text.begin()));
  const int64_t scale = unit.empty() || unit == "s" ? 1
                        : unit == "m"               ? 60
                        : unit == "h"               ? 3600
                                                    : 0;
  if (code != std::errc() || scale == 0 || value < 0 ||
      value > kMostSeconds / scale) {
    error = "`--budget` is `" + std::string(text) +
            "`; it is a time of up to a week, such as 90s, 10m or 1h";
    return std::nullopt;
  }
  if (double(value * scale) < kLeastBudgetSeconds) {
    error = "`--budget` is " + std::to_string(value * scale) +
            " s; compiling and timing one candidate takes about " +
            std::to_string(int(kLeastBudgetSeconds)) + " s";
    return std::nullopt;
  }
  return double(value * scale);
}

} // namespace qwen
