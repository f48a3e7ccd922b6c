// Values.cpp - pieces of about a MiB.
#include "tools/qwenc/bits/Values.h"

#include "codegen/emit/OutputFile.h"
#include "frontend/weights/Dequantize.h"

#include "llvm/Support/Threading.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

namespace qwen::bits {
namespace {

constexpr int64_t kPieceValues = int64_t(1) << 18;
constexpr int64_t kTileRows = 128; // rows that are rounded together

} // namespace

int64_t threads() {
  return llvm::heavyweight_hardware_concurrency().compute_thread_count();
}

llvm::Error eachPiece(
    const Matrix &matrix,
    llvm::function_ref<void(int64_t first, int64_t rows, const float *values)>
        work) {
  const int64_t rows =
      std::max<int64_t>(kPieceValues / matrix.width / kTileRows, 1) * kTileRows;
  std::atomic<int64_t> next = 0;
  std::mutex lock;
  std::string problem;
  auto run = [&] {
    std::vector<double> values;
    std::vector<float> floats;
    std::ostringstream messages;
    Diagnostics diags(messages);
    for (int64_t first = next.fetch_add(rows); first < matrix.rows;
         first = next.fetch_add(rows)) {
      const int64_t count = std::min(rows, matrix.rows - first);
      std::string wrong;
      if (!readTensorRows(matrix.stored, first, count, values, diags))
        wrong = llvm::StringRef(messages.str()).trim().str();
      else if (auto bad = std::find_if_not(
                   values.begin(), values.end(),
                   [](double value) { return std::isfinite(value); });
               bad != values.end()) {
        const int64_t at = bad - values.begin();
        wrong = "`" + matrix.name + "`[" +
                std::to_string(first + at / matrix.width) + ", " +
                std::to_string(at % matrix.width) + "] is no finite number";
      }
      if (!wrong.empty()) {
        const std::lock_guard guard(lock);
        problem = wrong;
        next = matrix.rows;
        return;
      }
      floats.assign(values.begin(), values.end());
      work(first, count, floats.data());
    }
  };
  std::vector<std::thread> team;
  for (int64_t i = 1; i < threads(); ++i)
    team.emplace_back(run);
  run();
  for (std::thread &thread : team)
    thread.join();
  return problem.empty() ? llvm::Error::success() : userError(problem);
}

llvm::Expected<verify::Likeness> likenessOf(const StoredTensor &tensor,
                                            const StoredTensor &original) {
  verify::LikenessSum sum;
  std::vector<double> values, originals;
  const auto width = size_t(tensor.shape[1]);
  for (int64_t n = 0; n < tensor.shape[0]; n += kTileRows) {
    const int64_t rows = std::min(kTileRows, tensor.shape[0] - n);
    if (!readTensorRows(tensor, n, rows, values) ||
        !readTensorRows(original, n, rows, originals))
      return userError("cannot read `" + tensor.name + "`");
    for (size_t at = 0; at < values.size(); at += width)
      sum.add(llvm::ArrayRef(values).slice(at, width),
              llvm::ArrayRef(originals).slice(at, width));
  }
  return sum.result();
}

} // namespace qwen::bits
