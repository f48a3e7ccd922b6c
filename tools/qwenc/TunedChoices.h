// TunedChoices.h - where results of `qwenc tune` lie, and how `qwenc compile`
// takes them up.
#pragma once

#include "codegen/catalog/Catalog.h"
#include "frontend/config/ModelSpec.h"
#include "tools/qwenc/CompileOptions.h"

#include <optional>
#include <string>

namespace qwen {

/// <cache>/schedules/<target>-<cpu>.json of this machine.
std::string tunedPath(const std::string &target);

/// What the choices of a model's steps depend on, as one word.
std::string modelKey(const ModelSpec &spec, const CompileOptions &options);

/// Takes up this machine's results for the target, unless told not to: its
/// points, and this model's choices where the command line gave none. Returns
/// a user-facing message when the file is wrong; no file is fine.
std::optional<std::string> applyTuned(const ModelSpec &spec,
                                      CompileOptions &options);

/// Sets what the choices say, zeros included, where the command line did not.
void apply(const ScheduleFile::Model &choices, CompileOptions &options);

} // namespace qwen
