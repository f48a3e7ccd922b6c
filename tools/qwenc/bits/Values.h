// Values.h - values of stored matrices as floats, in pieces on all cores, and
// how like one another two are.
#pragma once

#include "tools/qwenc/bits/Parts.h"
#include "tools/qwenc/verify/Likeness.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace qwen::bits {

/// Cores of this machine.
int64_t threads();

/// Calls `work` for whole rows, first .. first + rows - 1, with their values;
/// on several threads at once. Refuses values that are not finite.
llvm::Error eachPiece(
    const Matrix &matrix,
    llvm::function_ref<void(int64_t first, int64_t rows, const float *values)>
        work);

/// Of a tensor beside the one it stands for.
llvm::Expected<verify::Likeness> likenessOf(const StoredTensor &tensor,
                                            const StoredTensor &original);

} // namespace qwen::bits
