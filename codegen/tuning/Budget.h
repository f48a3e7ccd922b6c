// Budget.h - how long a search may take, as users write it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qwen {

/// About what compiling and timing one candidate takes.
inline constexpr double kLeastBudgetSeconds = 5;

/// Seconds of "90s", "10m", "1h" or "90"; nothing, and `error` set, for other
/// texts and for less than one candidate needs.
std::optional<double> parseBudget(std::string_view text, std::string &error);

} // namespace qwen
