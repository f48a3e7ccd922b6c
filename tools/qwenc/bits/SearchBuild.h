// SearchBuild.h - an executable with 8 bits a weight whose weights file is
// rewritten to find out what fewer bits cost.
//
// Numerics  every q4_0 and q5_0 value is one of q8g32's, and the kernels' sums
//           are those of q4g32 and q5g32 to the bit
#pragma once

#include "tools/qwenc/CompileOptions.h"
#include "tools/qwenc/bits/BlockFile.h"
#include "tools/qwenc/verify/Executable.h"
#include "tools/qwenc/verify/Stages.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace qwen::bits {

/// Rows that linears multiply: i8 values [T, K] and f32 scales [T, K/32].
struct InputRows {
  int64_t width = 0;
  std::vector<int8_t> values;
  std::vector<float> scales;

  int64_t count() const { return width ? int64_t(values.size()) / width : 0; }
  /// Rows first .. first + rows - 1 as floats [rows, K].
  void floats(int64_t first, int64_t rows, std::vector<float> &out) const;
};

class SearchBuild {
public:
  /// `options` are those that `eight` is compiled with, its matrices among
  /// them.
  static llvm::Expected<std::unique_ptr<SearchBuild>>
  make(const CompileOptions &options, const verify::WorkFolder &folder,
       verify::Stages &stages);

  const verify::Executable &plain() const { return *untapped; }

  /// Adds what the linears' inputs named in `inputs` are for these ids, in one
  /// step from position 0.
  llvm::Error collect(const reference::Ids &ids,
                      std::map<std::string, InputRows> &inputs) const;

  /// Gives a matrix these values.
  void write(const Matrix &matrix, BlockFile &blocks);

  /// Mean KL of the logits for `ids` from those that `keepReference` kept.
  llvm::Error keepReference(const reference::Ids &ids);
  llvm::Expected<double> divergence(const reference::Ids &ids,
                                    int64_t vocab) const;

private:
  explicit SearchBuild(const verify::WorkFolder &folder) : folder(folder) {}

  struct Place {
    int64_t quants, scales; // bytes from the start of the file
    int64_t pitch;          // bytes from a block of either to the next
  };
  const verify::WorkFolder &folder;
  std::unique_ptr<verify::Executable> untapped, tapped;
  std::unique_ptr<llvm::sys::fs::mapped_file_region> weights;
  std::map<std::string, Place> places;
};

} // namespace qwen::bits
