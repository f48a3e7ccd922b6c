// Dequantize.h - the plain meaning of every stored type: what number each
// stored element is.
//
// Numerics  f32 arithmetic in the order of the reference, so float(out) is its
//           result to the bit
// Source    gguf-py quants.py; ggml-quants.c dequantize_row_*
#pragma once

#include "frontend/diag/Diag.h"
#include "frontend/weights/StoredType.h"
#include "frontend/weights/TensorIndex.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace qwen {

/// Writes `elements` values. False when the type is unknown or `elements` is
/// not a whole number of blocks. `bytes` holds storedBytes(type, elements).
bool dequantizeRow(std::string_view storedType, const uint8_t *bytes,
                   int64_t elements, double *out);

/// Rows row0 .. row0 + rows - 1 of a [N, K] tensor, appended as [rows, K] to an
/// emptied `out`; a vector [K] has one row. A file that cannot be read is
/// reported.
bool readTensorRows(const StoredTensor &tensor, int64_t row0, int64_t rows,
                    std::vector<double> &out, Diagnostics &diags);

/// The same with messages on standard error.
bool readTensorRows(const StoredTensor &tensor, int64_t row0, int64_t rows,
                    std::vector<double> &out);

/// The same rows as the bytes that the file stores.
bool readTensorBytes(const StoredTensor &tensor, int64_t row0, int64_t rows,
                     std::vector<uint8_t> &out, Diagnostics &diags);

/// Half and bfloat precision to f32, exactly.
float halfToFloat(uint16_t bits);
float bfloatToFloat(uint16_t bits);

} // namespace qwen
