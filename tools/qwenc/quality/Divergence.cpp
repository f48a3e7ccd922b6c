// Divergence.cpp - softmaxes of mapped logits, positions shared out over
// threads.
#include "tools/qwenc/quality/Divergence.h"

#include "codegen/emit/OutputFile.h"

#include "llvm/Support/Threading.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

namespace qwen::quality {
namespace {

constexpr size_t kNpyPrefix = 10; // magic, version, length of the header

/// log of the sum of exp(row[i]).
double logSum(const float *row, int64_t count) {
  const float most = *std::max_element(row, row + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += double(std::exp(row[i] - most));
  return std::log(sum) + double(most);
}

/// KL of one position.
double divergence(const float *a, double logA, const float *b, double logB,
                  int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double first = double(a[i]) - logA, second = double(b[i]) - logB;
    sum += double(std::exp(float(first))) * (first - second);
  }
  return sum;
}

struct Position {
  double kl, surprise;
  bool sameTop;
};

} // namespace

llvm::Expected<LogitsFile> LogitsFile::open(const std::string &path,
                                            int64_t vocab) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return userError("cannot read `" + path +
                     "`: " + file.getError().message());
  LogitsFile logits;
  logits.file = std::move(*file);
  const llvm::StringRef bytes = logits.file->getBuffer();
  size_t header = kNpyPrefix;
  if (bytes.size() >= kNpyPrefix)
    header += uint8_t(bytes[8]) + (size_t(uint8_t(bytes[9])) << 8);
  const size_t rowBytes = size_t(vocab) * sizeof(float);
  if (bytes.size() <= header || (bytes.size() - header) % rowBytes != 0)
    return userError("`" + path + "` has " + std::to_string(bytes.size()) +
                     " bytes, which are no rows of " + std::to_string(vocab) +
                     " logits");
  logits.values = reinterpret_cast<const float *>(bytes.data() + header);
  logits.vocab = vocab;
  logits.count = int64_t((bytes.size() - header) / rowBytes);
  return logits;
}

Divergence compareLogits(const LogitsFile &reference, const LogitsFile &other,
                         const std::vector<int32_t> &ids) {
  const int64_t rows = std::min(reference.rows(), other.rows()),
                columns = reference.columns();
  std::vector<Position> positions(static_cast<size_t>(rows));
  std::atomic<int64_t> next = 0;
  auto work = [&] {
    for (int64_t t = next++; t < rows; t = next++) {
      const float *a = reference.row(t), *b = other.row(t);
      const double logA = logSum(a, columns), logB = logSum(b, columns);
      Position &position = positions[size_t(t)];
      position.kl = divergence(a, logA, b, logB, columns);
      position.sameTop = std::max_element(a, a + columns) - a ==
                         std::max_element(b, b + columns) - b;
      position.surprise =
          size_t(t) + 1 < ids.size() ? logB - double(b[ids[size_t(t) + 1]]) : 0;
    }
  };
  std::vector<std::thread> threads;
  const unsigned count = llvm::hardware_concurrency().compute_thread_count();
  for (unsigned i = 1; i < count; ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  Divergence sum;
  double surprise = 0;
  int64_t same = 0;
  for (const Position &position : positions) {
    sum.kl += position.kl / double(rows);
    same += position.sameTop;
    surprise += position.surprise;
  }
  sum.sameTop = double(same) / double(rows);
  const int64_t predicted = std::min(rows, int64_t(ids.size()) - 1);
  if (predicted > 0)
    sum.perplexity = std::exp(surprise / double(predicted));
  return sum;
}

} // namespace qwen::quality
