// Arrays.h - the arrays of a safetensors file as rows of f64, by name.
//
// Source  safetensors format description
#pragma once

#include "passes/reference/Arithmetic.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <utility>

namespace qwen::verify {

/// Values by tap name.
using TapRows = std::map<std::string, reference::Rows>;

/// Reads F64, F32, F16, BF16, I32 and I8 arrays of one or more dimensions; the
/// last is the width. Refuses other types and places outside the file.
llvm::Expected<TapRows> readArrays(const std::string &path);

/// Only those with such names.
llvm::Expected<TapRows>
readArrays(const std::string &path,
           llvm::function_ref<bool(llvm::StringRef name)> wanted);

/// NAME.values and NAME.scales (q8g32, groups of 32) become the rows NAME that
/// they stand for; a group whose sum in NAME.sums is wrong starts with NaN.
llvm::Error joinQuantized(TapRows &taps);

} // namespace qwen::verify
