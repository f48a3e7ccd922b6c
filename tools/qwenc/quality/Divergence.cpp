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

struct Softmaxes {
  double kl, logSumOther; // logSumOther: log of the sum of exp(b[i])
};

/// KL of one position. Each sum of exp is taken relative to the row's largest
/// value.
Softmaxes compare(const float *a, float mostA, const float *b, float mostB,
                  int64_t count) {
  double sumA = 0, sumB = 0, distance = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto weight = double(std::exp(a[i] - mostA));
    sumA += weight;
    sumB += double(std::exp(b[i] - mostB));
    distance += weight * (double(a[i]) - double(b[i]));
  }
  const double logSumA = std::log(sumA) + double(mostA),
               logSumB = std::log(sumB) + double(mostB);
  return {distance / sumA - logSumA + logSumB, logSumB};
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
      const float *topA = std::max_element(a, a + columns),
                  *topB = std::max_element(b, b + columns);
      const Softmaxes sums = compare(a, *topA, b, *topB, columns);
      Position &position = positions[size_t(t)];
      position.kl = sums.kl;
      position.sameTop = topA - a == topB - b;
      position.surprise = size_t(t) + 1 < ids.size()
                              ? sums.logSumOther - double(b[ids[size_t(t) + 1]])
                              : 0;
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
