// References.h - judges from outside: captured taps, or another checkpoint.
#pragma once

#include "tools/qwenc/verify/Report.h"
#include "tools/qwenc/verify/Stages.h"

namespace qwen::verify {

/// The name under which a captured reference keeps its token ids.
inline constexpr const char *kIdsName = "ids";

/// Token ids of a captured reference; empty when it has none.
reference::Ids idsOf(const TapRows &captured);

/// Holds what the imported graph gives to captured f32 taps.
void judgeCaptured(const std::string &path, const TapRows &captured,
                   mlir::func::FuncOp imported, const TapRows &ours,
                   Report &report);

/// Holds the imported graph and its tensors to those of another checkpoint.
void judgeCheckpoint(Stages &stages, Stages &other, const reference::Ids &ids,
                     const TapRows &ours, Report &report);

} // namespace qwen::verify
