// TuneReport.h - the page of `qwenc tune --report`.
#pragma once

#include "codegen/catalog/Tuned.h"

#include <string>

namespace qwen {

/// One HTML page that loads nothing: winners beside defaults, a roofline, the
/// choices of whole steps, and for each kernel a convergence curve and its
/// space in parallel coordinates.
std::string tuneReport(const TunedFile &file);

} // namespace qwen
