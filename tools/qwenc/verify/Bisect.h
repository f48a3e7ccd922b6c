// Bisect.h - which pass was the first to change what the program means.
#pragma once

#include "tools/qwenc/verify/Judge.h"
#include "tools/qwenc/verify/Stages.h"

#include <optional>
#include <string>

namespace qwen::verify {

struct PassFault {
  std::string pass;
  Finding finding;
};

/// Compares two runs in f64 by the names that both have, in the order of the
/// step; every weight as stored, quantising without loss: what is left is the
/// meaning.
std::optional<Finding> compareMeaning(mlir::func::FuncOp step,
                                      const TapRows &now,
                                      const TapRows &before);

/// The scheduled module against the imported one, @decode included.
/// `reference` is what the imported one gives.
std::optional<Finding> meaningChanged(Stages &stages, const reference::Ids &ids,
                                      const TapRows &reference);

/// The module after each pass against the one before it.
std::optional<PassFault> bisect(Stages &stages, const reference::Ids &ids,
                                const TapRows &reference);

} // namespace qwen::verify
