// Npy.h - a [rows, columns] float32 array as a NumPy file, row by row.
//
// Source  numpy/lib/format.py, version 1.0
#ifndef QWEN_RUNTIME_CLI_NPY_H
#define QWEN_RUNTIME_CLI_NPY_H

#include <cstdint>
#include <string>

namespace qwen {

/// The bytes before the data: magic, version, header length, header; a multiple
/// of 64 bytes.
std::string npyHeader(int64_t rows, int64_t columns);

} // namespace qwen

#endif
